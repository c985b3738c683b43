"""A real MLflow server on SQLite, on the loopback interface."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hack.cluster.lock import locked
from hack.cluster.paths import cache_dir, digest
from hack.cluster.ports import free_port
from tests.support.apiserver.client import poll

ROOT = Path(__file__).resolve().parents[3]

QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""As the chart sets it: eight processes for MLflow's own jobs cost half a minute of a processor and do nothing here."""


@contextmanager
def running_mlflow(folder: Path) -> Iterator[str]:
    """Its address; everything that it stores is below `folder`."""
    with _running(Path(sys.executable), folder, (), {}) as uri:
        yield uri


@contextmanager
def _running(python: Path, folder: Path, options: Sequence[str], variables: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    store = (
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    )
    command = (str(python), "-m", "mlflow", "server", *store, "--port", str(port), "--workers", "1", *options)
    environment = os.environ | QUIET | dict(variables)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        poll("MLflow answers", lambda: server.poll() is None and answers(f"{uri}/health"), 300)
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


@contextmanager
def running_workspaces(folder: Path, kubeconfig: Path, default: str) -> Iterator[str]:
    """As `running_mlflow`, and as the chart starts it: a namespace is a workspace, and the API server says who may."""
    kubernetes = ("--enable-workspaces", "--workspace-store-uri", "kubernetes://", "--app-name", "kubernetes-auth")
    measured = ("--expose-prometheus", str(folder / "metrics"))
    variables = {"KUBECONFIG": str(kubeconfig), "MLFLOW_K8S_DEFAULT_WORKSPACE": default}
    with _running(image_python(), folder, (*kubernetes, *measured), variables) as uri:
        yield uri


def image_python() -> Path:
    """An interpreter with what the MLflow image has: its plugins need a newer Python than the tests run with."""
    lock = ROOT / "requirements" / "mlflow.txt"
    folder = cache_dir() / "mlflow" / digest(lock.read_bytes())
    python = folder / "bin" / "python"
    with locked("mlflow"):
        if not (folder / "complete").exists():
            uv = str(Path(sys.executable).with_name("uv"))
            subprocess.run((uv, "venv", "-q", "--clear", "--python", find_python(), str(folder)), check=True)
            install = (uv, "pip", "install", "-q", "--python", str(python), "--no-deps", "--require-hashes")
            subprocess.run((*install, "-r", str(lock)), check=True)
            (folder / "complete").touch()
    return python


def find_python() -> str:
    """An interpreter of Python 3.12 or newer: the tests' own, one on the PATH, or one of pyenv's."""
    names = [shutil.which(f"python3.{minor}") for minor in (13, 12, 14)]
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.1[234].*/bin/python3"), reverse=True)
    for python in (sys.executable, *filter(None, names), *map(str, pyenv)):
        check = (python, "-c", "import sys; sys.exit(sys.version_info < (3, 12))")
        if subprocess.run(check, check=False, capture_output=True).returncode == 0:
            return python
    raise AssertionError("MLflow's Kubernetes plugins need Python 3.12 or newer: install one beside the tests' own")
