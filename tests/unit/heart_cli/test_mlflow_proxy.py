"""`kubectl heart mlflow`: the token goes to MLflow, and to no page that is not the user's own."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import urllib3

from heart_cli.mlflowproxy import build_server

SEEN: list[tuple[str, str, dict[str, str], bytes]] = []


class Upstream(BaseHTTPRequestHandler):
    """A stand-in for MLflow."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        SEEN.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(201)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"made")

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(server: HTTPServer) -> str:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def proxy() -> Iterator[str]:
    SEEN.clear()
    upstream = HTTPServer(("127.0.0.1", 0), Upstream)
    server = build_server(0, f"http://{serve(upstream)}", "secret", "clinic")
    yield serve(server)
    for each in (server, upstream):
        each.shutdown()
        each.server_close()


def post(proxy: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("POST", f"http://{proxy}/api?x=1", body=b"{}", headers=headers)


def test_every_request_names_the_workspace_and_shows_the_token(proxy: str) -> None:
    forged = {"X-MLFLOW-WORKSPACE": "lab", "Authorization": "Bearer other"}
    answer = post(proxy, **forged)
    assert (answer.status, answer.data) == (201, b"made")
    ((method, path, headers, body),) = SEEN
    assert (method, path, body) == ("POST", "/api?x=1", b"{}")
    assert (headers["authorization"], headers["x-mlflow-workspace"]) == ("Bearer secret", "clinic")


@pytest.mark.parametrize("headers", [{"Host": "evil.example:5000"}, {"Origin": "https://evil.example"}, {"Host": ""}])
def test_another_sites_page_gets_nothing(proxy: str, headers: dict[str, str]) -> None:
    assert post(proxy, **headers).status == 403
    assert SEEN == []
