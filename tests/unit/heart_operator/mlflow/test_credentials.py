"""What each MLflow server is shown: its own credentials, and never those of another."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from heart_api.profile import RuntimeProfile
from heart_operator.mlflow.backend import MlflowBackend, server_address
from heart_operator.mlflow.credentials import FOLDER_VARIABLE, TOKEN_VARIABLE, secret_header
from heart_operator.mlflow.errors import RegistryError

IMAGES = {"trainer": "t", "serving": "s"}


@contextmanager
def server() -> Iterator[tuple[str, list[str]]]:
    """An MLflow without anything in it, and the Authorization headers that it got."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            body = json.dumps({"workspaces_enabled": True}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            return

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", seen
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two Secrets as the chart mounts them, and the operator's Kubernetes token."""
    for name, content in {"lab": {"TOKEN": "lab-token\n"}, "clinic": {"USERNAME": "u", "PASSWORD": "p"}}.items():
        (tmp_path / name).mkdir()
        for key, value in content.items():
            (tmp_path / name / f"MLFLOW_TRACKING_{key}").write_text(value)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv(TOKEN_VARIABLE, "kubernetes-token")
    return tmp_path


def profile(uri: str, **more: object) -> RuntimeProfile:
    return RuntimeProfile.model_validate({"images": IMAGES, "trackingUri": uri, **more})


def test_each_server_is_shown_its_own_credentials(secrets: Path) -> None:
    with server() as (kubernetes, kubernetes_seen), server() as (lab, lab_seen), server() as (plain, plain_seen):
        addresses = (
            server_address(profile(kubernetes, trackingAuth="Kubernetes"), "clinic"),
            server_address(profile(lab, trackingSecret="lab"), "clinic"),
            server_address(profile(plain, insecure=True), "clinic"),
        )
        for address in addresses:
            MlflowBackend(address).snapshot()
    assert set(kubernetes_seen) == {"Bearer kubernetes-token"}
    assert set(lab_seen) == {"Bearer lab-token"}
    assert set(plain_seen) == {""}


def test_a_rotated_secret_counts_at_once(secrets: Path) -> None:
    assert secret_header("clinic") == "Basic dTpw"
    (secrets / "clinic" / "MLFLOW_TRACKING_TOKEN").write_text("new")
    assert secret_header("clinic") == "Bearer new"


def test_a_missing_secret_is_named(secrets: Path) -> None:
    address = server_address(profile("http://127.0.0.1:9", trackingSecret="elsewhere"), "clinic")
    with pytest.raises(RegistryError, match="no Secret elsewhere with MLFLOW_TRACKING_TOKEN"):
        MlflowBackend(address).snapshot()
