"""What FastAPI alone costs: the contract as a body model, and a constant answer."""

import json
import os
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field, create_model

ANSWER: dict[str, Any] = {
    "prediction": 1,
    "label": "1",
    "probability": 0.5,
    "model_version": "7",
    "request_id": "0123456789abcdef01234567",
}


def body_model(features: list[dict[str, Any]]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for feature in features:
        kind = {"number": float, "integer": int, "boolean": bool}.get(feature["type"])
        annotation: Any = kind or Literal[tuple(feature["values"])]
        bounds = {"ge": feature.get("minimum"), "le": feature.get("maximum")} if kind in (float, int) else {}
        if feature["required"]:
            fields[feature["name"]] = (annotation, Field(**bounds))
        else:
            fields[feature["name"]] = (annotation | None, Field(None, **bounds))
    return create_model("Record", __config__={"extra": "forbid"}, **fields)


Record = body_model(json.loads(os.environ["BENCH_FEATURES"]))
app = FastAPI()


@app.post("/one")
async def one(record: Record) -> dict[str, Any]:  # type: ignore[valid-type]
    return ANSWER


@app.post("/many")
async def many(records: list[Record]) -> dict[str, Any]:  # type: ignore[valid-type]
    return {"predictions": [ANSWER] * len(records)}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["BENCH_PORT"]), loop="uvloop", http="httptools", access_log=False)
