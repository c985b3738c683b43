"""Stands before an MLflow of somebody else: passes on requests with the right user and password (HTTP basic auth).

Standard library only: a ConfigMap brings it into a pod.
"""

import base64
import os
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHIND = ("127.0.0.1", 5001)
ADMITTED = "Basic " + base64.b64encode(f"{os.environ['USER_NAME']}:{os.environ['PASSWORD']}".encode()).decode()
PER_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != ADMITTED:
            self.answer(401, [("WWW-Authenticate", 'Basic realm="mlflow"')], b"who are you?")
            return
        behind = HTTPConnection(*BEHIND, timeout=60)
        given = {name: value for name, value in self.headers.items() if name.lower() not in PER_CONNECTION}
        behind.request(self.command, self.path, body, given)
        response = behind.getresponse()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in PER_CONNECTION]
        self.answer(response.status, kept, response.read())
        behind.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 5000), Gate).serve_forever()
