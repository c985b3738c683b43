"""A real Prometheus on this machine, and servers that it scrapes as if they were pods."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import yaml

from hack.cluster.ports import free_port
from tests.support.apiserver.client import poll

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Target:
    """What is scraped, and the labels that Kubernetes' service discovery would add."""

    address: str
    labels: Labels
    honor: bool = False
    """Labels of the metrics win over these."""


@contextmanager
def served(render: Callable[[], bytes], port: int = 0) -> Iterator[int]:
    """/metrics on a loopback port until the block ends; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = render()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Prometheus:
    url: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """An instant vector."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def label_values(self, label: str, series: str) -> list[str]:
        answer = httpx.get(f"{self.url}/api/v1/label/{label}/values", params={"match[]": series}, timeout=10)
        found: list[str] = answer.raise_for_status().json()["data"]
        return found


@contextmanager
def running(binary: Path, folder: Path, targets: list[Target]) -> Iterator[Prometheus]:
    """Scrapes every second; keeps its data in `folder`."""
    jobs = [
        {
            "job_name": f"job-{position}",
            "honor_labels": target.honor,
            "static_configs": [{"targets": [target.address], "labels": dict(target.labels)}],
        }
        for position, target in enumerate(targets)
    ]
    settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    with ready(binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data") as url:
        yield Prometheus(url)


@contextmanager
def ready(binary: Path, *options: str) -> Iterator[str]:
    """Prometheus or Alertmanager on a free port of the loopback interface, once it is ready; yields its URL."""
    address = f"127.0.0.1:{free_port()}"
    command = (str(binary), *options, f"--web.listen-address={address}", "--log.level=error")
    with subprocess.Popen(command) as process:
        try:
            poll(f"{binary.name} to be ready", lambda: is_ready(f"http://{address}"), 30)
            yield f"http://{address}"
        finally:
            process.terminate()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def finite(vector: list[dict[str, Any]]) -> list[float]:
    """The values that are numbers."""
    return [value for sample in vector if isfinite(value := float(sample["value"][1]))]
