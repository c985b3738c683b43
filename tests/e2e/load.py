"""Steady, bounded load from a pod: `load.py URL SECONDS RATE`; a line of JSON with the counts every second.

One worker keeps its connection for as long as the server does, one opens a connection for every request. They send the
bodies in turn. Every request counts; nothing is tried again. Standard library only: it runs in any image with Python.
"""

import http.client
import itertools
import json
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

BODIES = [json.dumps(body).encode() for body in json.loads(Path(__file__).with_name("bodies.json").read_bytes())]


class Counts:
    """Answers by version, the time of each version's latest one, and the first failures in words."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answered: Counter[str] = Counter()
        self.latest: dict[str, float] = {}
        self.failed = 0
        self.failures: list[str] = []

    def add(self, version: str) -> None:
        with self.lock:
            self.answered[version] += 1
            self.latest[version] = time.time()

    def fail(self, words: str) -> None:
        with self.lock:
            self.failed += 1
            self.failures = [*self.failures, f"{time.strftime('%H:%M:%S')} {words}"][:20]

    def show(self) -> None:
        with self.lock:
            answers = {"answered": dict(self.answered), "latest": dict(self.latest)}
            counts = {**answers, "failed": self.failed, "failures": self.failures}
        print(json.dumps(counts), flush=True)


def ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[str, bool]:
    """The version that answered, and whether the connection may be used again."""
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise ValueError(f"status {answer.status}: {content[:200]!r}")
    return str(json.loads(content)["model_version"]), not answer.will_close


def work(host: str, port: int, path: str, end: float, rate: float, keep: bool, counts: Counts) -> None:
    connection, bodies = None, itertools.cycle(BODIES)
    while time.monotonic() < end:
        started = time.monotonic()
        connection = connection or http.client.HTTPConnection(host, port, timeout=10)
        usable = False
        try:
            version, usable = ask(connection, path, next(bodies))
            counts.add(version)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            counts.fail(f"{'kept' if keep else 'new'} connection: {type(error).__name__}: {error}")
        if not (keep and usable):
            connection.close()
            connection = None
        time.sleep(max(0.0, 1 / rate - (time.monotonic() - started)))


def main(url: str, seconds: float, rate: float) -> None:
    counts, end, parts = Counts(), time.monotonic() + seconds, urlsplit(url)
    # A Service keeps its address: asking the DNS for every request costs the node more than the request.
    host = socket.gethostbyname(parts.hostname or "")
    for keep in (True, False):
        threading.Thread(
            target=work, args=(host, parts.port or 80, parts.path, end, rate, keep, counts), daemon=True
        ).start()
    while time.monotonic() < end:
        time.sleep(1)
        counts.show()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
