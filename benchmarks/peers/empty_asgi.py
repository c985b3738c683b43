"""What the HTTP server alone costs: an ASGI application that reads the body, parses the JSON and answers a constant."""

import os
from typing import Any

import orjson
import uvicorn

ANSWER = {
    "prediction": 1,
    "label": "1",
    "probability": 0.5,
    "model_version": "7",
    "request_id": "0123456789abcdef01234567",
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    document = orjson.loads(body)
    answer = orjson.dumps([ANSWER] * len(document) if isinstance(document, list) else ANSWER)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    port = int(os.environ["BENCH_PORT"])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, lifespan="off")
