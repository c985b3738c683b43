"""The init container: siblings first, MLflow second, and nothing in place but the approved bytes."""

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hack.cluster.ports import free_port
from heart_api.handover import Env
from heart_model.artifact_path import proxied_path
from heart_model.signing import sign
from heart_serving import fetch
from heart_serving.errors import FetchFailed, SettingsError
from heart_serving.model import download
from heart_serving.model.mlflow import credentials
from heart_serving.settings import Settings
from tests.support.serving.app import NAME, VERSION, running
from tests.support.serving.tiny_model import tiny_model

MODEL, OLDER = tiny_model(), tiny_model(seed=1)
URI = "/api/2.0/mlflow/model-versions/get-download-uri?name=clinic.heart&version=7"
GET_VERSION = "/api/2.0/mlflow/model-versions/get?name=clinic.heart&version=7"
FILE = "/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts/model.onnx"
WHERE = b'{"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"}'

Answer = tuple[int, bytes]


@dataclass
class Stub:
    """An HTTP server with fixed answers; a list is worked through, its last entry stays."""

    port: int
    answers: dict[str, list[Answer]]
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str) -> Answer:
        self.asked.append(path)
        waiting = self.answers.get(path, [(404, b"{}")])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def stub(**answers: Any) -> Iterator[Stub]:
    """`uri` and `file`: MLflow's answers; `sibling`: the artifact route's."""
    paths = {"uri": URI, "file": FILE, "sibling": f"/artifacts/{MODEL.sha256}", "version": GET_VERSION}
    served: dict[str, list[Answer]] = {
        paths[name]: answer if isinstance(answer, list) else [answer] for name, answer in answers.items()
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.headers.append(dict(self.headers))
            status, body = state.answer(self.path)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"http://127.0.0.1:{state.port}{FILE}")
            self.send_header("Content-Length", str(max(len(body), 10) if body == b"short" else len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Stub(server.server_port, served)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Time:
    now: float = 0.0
    naps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> fetch.Clock:
        return fetch.Clock(lambda: self.now, self.sleep)


def settings(folder: Path) -> Settings:
    return Settings(NAME, "clinic", VERSION, MODEL.sha256, folder / "model.onnx")


def variables(mlflow: int, sibling: int | None = None, **more: str) -> dict[str, str]:
    found = {Env.TRACKING_URI: f"http://127.0.0.1:{mlflow}", Env.REGISTRY_NAME: "clinic.heart", **more}
    return found | {Env.SIBLINGS: f"localhost:{sibling}"} if sibling else found


def attempt(folder: Path, environ: dict[str, str], time: Time | None = None) -> str:
    return fetch.fetch(settings(folder), environ, (time or Time()).clock)


def only_the_model(folder: Path) -> None:
    """The file is there, whole, and nothing beside it."""
    assert [file.name for file in folder.iterdir()] == ["model.onnx"]
    assert (folder / "model.onnx").read_bytes() == MODEL.data


def test_from_a_real_sibling_with_mlflow_down(tmp_path: Path) -> None:
    (tmp_path / "sibling").mkdir()
    (tmp_path / "new").mkdir()
    with running(MODEL, tmp_path / "sibling") as server:
        source = attempt(tmp_path / "new", variables(free_port(), server.management_port))
    assert source == "sibling 127.0.0.1"
    only_the_model(tmp_path / "new")


def test_from_mlflow_when_no_sibling_has_it(tmp_path: Path) -> None:
    with stub() as sibling, stub(uri=(200, WHERE), file=(200, MODEL.data)) as mlflow:
        assert attempt(tmp_path, variables(mlflow.port, sibling.port)).startswith("MLflow at 127.0.0.1")
        assert f"/artifacts/{MODEL.sha256}" in sibling.asked
    only_the_model(tmp_path)


def test_a_file_that_is_there_already_is_enough(tmp_path: Path) -> None:
    MODEL.write(tmp_path)
    assert attempt(tmp_path, variables(free_port())) == "an earlier start"


def test_a_wrong_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"other")
    with stub(sibling=(200, MODEL.data)) as sibling:
        attempt(tmp_path, variables(free_port(), sibling.port))
    only_the_model(tmp_path)


@pytest.mark.parametrize("lie", [(200, b"evil"), (200, b"short"), (500, b""), (302, b""), (200, b"")])
def test_a_sibling_that_lies_or_fails_is_passed_over(tmp_path: Path, lie: Answer) -> None:
    with stub(sibling=lie) as sibling, stub(uri=(200, WHERE), file=(200, MODEL.data)) as mlflow:
        assert attempt(tmp_path, variables(mlflow.port, sibling.port)).startswith("MLflow")
    only_the_model(tmp_path)


def test_another_digest_at_mlflow_ends_with_one_sentence_and_no_file(tmp_path: Path) -> None:
    time = Time()
    with stub(uri=(200, WHERE), file=(200, b"evil")) as mlflow, pytest.raises(FetchFailed) as failure:
        attempt(tmp_path, variables(mlflow.port), time)
    assert f"but sha256:{MODEL.sha256} was approved" in str(failure.value)
    assert hashlib.sha256(b"evil").hexdigest() in str(failure.value)
    assert list(tmp_path.iterdir()) == []
    assert time.naps == []


def test_mlflow_that_comes_back_is_waited_for(tmp_path: Path) -> None:
    time = Time()
    answers = {
        "uri": [(503, b""), (200, b"<html>"), (200, WHERE)],
        "file": [(500, b""), (200, b"short"), (200, MODEL.data)],
    }
    with stub(**answers) as mlflow:
        attempt(tmp_path, variables(mlflow.port), time)
    only_the_model(tmp_path)
    assert time.naps == [1, 2, 4, 8]


def test_it_gives_up_in_time_and_says_why(tmp_path: Path) -> None:
    time = Time()
    with pytest.raises(FetchFailed, match=r"gave up after 120 s: 127.0.0.1:\d+ does not answer \(ConnectionRefused"):
        attempt(tmp_path, variables(free_port()), time)
    assert 60 < time.now <= 120


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({}, "404"),
        ({"uri": (401, b"")}, "heartops-runtime"),
        ({"uri": (403, b"")}, "allow this host"),
        ({"uri": (200, WHERE), "file": (302, b"")}, "redirects are not followed"),
        ({"uri": (200, b'{"artifact_uri": "s3://bucket/m-1"}')}, "s3: address.*--serve-artifacts"),
        ({"uri": (200, b'{"artifact_uri": "/srv/mlruns/m-1"}')}, "file: address"),
        ({"uri": (200, b'{"artifact_uri": "mlflow-artifacts:/../../x"}')}, "does not follow"),
        ({"uri": (200, b'{"artifact_uri": "mlflow-artifacts:/%2e%2e/x"}')}, "does not follow"),
    ],
)
def test_what_waiting_cannot_mend_ends_at_once(tmp_path: Path, answers: dict[str, Answer], says: str) -> None:
    time = Time()
    with stub(**answers) as mlflow, pytest.raises(FetchFailed, match=says):
        attempt(tmp_path, variables(mlflow.port), time)
    assert time.naps == []
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_MODEL_BYTES", 1000)
    with (
        stub(uri=(200, WHERE), file=(200, b"0" * 5_000_000)) as mlflow,
        pytest.raises(FetchFailed, match="more than 1000"),
    ):
        attempt(tmp_path, variables(mlflow.port))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_drips_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the file never would."""
    monkeypatch.setattr(download, "TOTAL_SECONDS", 0.3)
    with dripping() as port, pytest.raises(download.Unreachable, match="to send the model"):
        download.download(download.Address("127.0.0.1", port), "/", tmp_path / "model.onnx", MODEL.sha256, {})
    assert list(tmp_path.iterdir()) == []


@contextmanager
def dripping() -> Iterator[int]:
    """The port of a server that sends a byte every 20 ms, as long as somebody listens."""

    def drip() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not ended.wait(0.02):
                connection.sendall(b"x")

    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def test_a_link_in_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    other = tmp_path / "other"
    other.write_bytes(b"not ours")
    (tmp_path / "models/model.onnx").symlink_to(other)
    with stub(sibling=(200, MODEL.data)) as sibling:
        attempt(tmp_path / "models", variables(free_port(), sibling.port))
    only_the_model(tmp_path / "models")
    assert not (tmp_path / "models/model.onnx").is_symlink()
    assert other.read_bytes() == b"not ours"


def test_a_good_model_of_another_version_is_another_file(tmp_path: Path) -> None:
    """Yesterday's file is whole, and was approved once, too."""
    with stub(uri=(200, WHERE), file=(200, OLDER.data)) as mlflow, pytest.raises(FetchFailed, match="was approved"):
        attempt(tmp_path, variables(mlflow.port))
    assert list(tmp_path.iterdir()) == []


def test_credentials_go_to_mlflow_and_to_nobody_else(tmp_path: Path) -> None:
    secret = {"MLFLOW_TRACKING_USERNAME": "reader", "MLFLOW_TRACKING_PASSWORD": "pass word"}
    with stub() as sibling, stub(uri=(200, WHERE), file=(200, MODEL.data)) as mlflow:
        attempt(tmp_path, variables(mlflow.port, sibling.port, **secret))
    basic = "Basic " + base64.b64encode(b"reader:pass word").decode()
    assert {headers.get("Authorization") for headers in mlflow.headers} == {basic}
    assert {headers.get("Authorization") for headers in sibling.headers} == {None}
    assert credentials(secret | {"MLFLOW_TRACKING_TOKEN": "t"}) == {"Authorization": "Bearer t"}


@pytest.mark.parametrize("uri", ["", "sqlite:///mlflow.db", "file:///mlruns", "mlflow:5000"])
def test_a_tracking_uri_that_is_no_server(tmp_path: Path, uri: str) -> None:
    with pytest.raises(SettingsError, match=Env.TRACKING_URI):
        attempt(tmp_path, {Env.TRACKING_URI: uri, Env.REGISTRY_NAME: "clinic.heart"})


def test_proxied_paths() -> None:
    assert proxied_path("mlflow-artifacts:/1/m-2/artifacts") == "1/m-2/artifacts"
    assert proxied_path("mlflow-artifacts://elsewhere:80/1/m-2") == "1/m-2"
    assert proxied_path("http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts/1/m-2") == "1/m-2"


def test_the_file_may_be_read_by_the_server_and_written_by_nobody(tmp_path: Path) -> None:
    with stub(sibling=(200, MODEL.data)) as sibling:
        attempt(tmp_path, variables(free_port(), sibling.port))
    assert (tmp_path / "model.onnx").stat().st_mode & 0o777 == 0o444


# --- signatures -------------------------------------------------------------------------------------------


def key_pair() -> tuple[bytes, str]:
    """A private and a public key of the platform (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), public.decode()


def version_with(signature: str | None) -> Answer:
    tags = [{"key": "heartops.trigger", "value": "t"}]
    tags += [{"key": "heartops.signature", "value": signature}] if signature is not None else []
    return 200, json.dumps({"model_version": {"name": "clinic.heart", "version": "7", "tags": tags}}).encode()


def test_a_signed_version_is_fetched_also_from_a_sibling(tmp_path: Path) -> None:
    private, public = key_pair()
    signed = version_with(sign("clinic/heart", MODEL.sha256, private))
    with stub(sibling=(200, MODEL.data)) as sibling, stub(version=signed) as mlflow:
        attempt(tmp_path, variables(mlflow.port, sibling.port, **{Env.SIGNING_KEYS: public}))
    only_the_model(tmp_path)


@pytest.mark.parametrize("signature", [None, "", "another key", "other bytes", "another model", "no bundle"])
def test_a_version_without_the_platforms_signature_never_serves(tmp_path: Path, signature: str | None) -> None:
    (private, public), (other, _) = key_pair(), key_pair()
    made = {
        "another key": (sign("clinic/heart", MODEL.sha256, other), "none of the keys"),
        "other bytes": (sign("clinic/heart", OLDER.sha256, private), "digests differ"),
        "another model": (sign("ward/heart", MODEL.sha256, private), "another HeartModel than clinic/heart"),
        "no bundle": ("x", "not a Sigstore bundle"),
    }
    given, says = made.get(signature or "", (signature, "is not signed"))
    answers = {"version": version_with(given), "uri": (200, WHERE), "file": (200, MODEL.data)}
    with stub(**answers) as mlflow, pytest.raises(FetchFailed, match=says):
        attempt(tmp_path, variables(mlflow.port, **{Env.SIGNING_KEYS: public}))
    assert list(tmp_path.iterdir()) == []


def test_without_keys_no_signature_is_asked_for(tmp_path: Path) -> None:
    with stub(uri=(200, WHERE), file=(200, MODEL.data)) as mlflow:
        attempt(tmp_path, variables(mlflow.port))
        assert GET_VERSION not in mlflow.asked
