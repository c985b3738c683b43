"""What the coordinator has come to, for the operator to read while it trains: `GET /progress` on a port of its own."""

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from heart_api.federation import Progress
from heart_api.handover import SiteResult


class Board:
    """The latest progress; written by the training, read by whoever asks."""

    def __init__(self) -> None:
        self._lock, self._now = threading.Lock(), Progress()

    def write(self, step: str, exchanges: int, sites: Sequence[SiteResult]) -> None:
        with self._lock:
            self._now = Progress(step=step, exchanges=exchanges, sites=tuple(sites))

    def read(self) -> Progress:
        with self._lock:
            return self._now


def publish(board: Board, port: int) -> ThreadingHTTPServer:
    """Serves in the background until `shutdown`. Nothing but this one page is there."""

    class Page(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            body = board.read().model_dump_json(by_alias=True).encode()
            known = self.path == "/progress"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body) if known else 0))
            self.end_headers()
            if known:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The log is the training's."""

    server = ThreadingHTTPServer(("", port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="progress", daemon=True).start()
    return server
