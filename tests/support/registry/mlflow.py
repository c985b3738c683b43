"""A real MLflow server on SQLite, on the loopback interface."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.apiserver.client import poll

QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""As the chart sets it: eight processes for MLflow's own jobs cost half a minute of a processor and do nothing here."""


@contextmanager
def running_mlflow(folder: Path) -> Iterator[str]:
    """Its address; everything that it stores is below `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = (
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    )
    command = (sys.executable, "-m", "mlflow", "server", *store, "--port", str(port), "--workers", "1")
    environment = os.environ | QUIET
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        poll("MLflow answers", lambda: server.poll() is None and answers(f"{uri}/health"), 120)
        yield uri
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
