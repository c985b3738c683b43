"""`python -m heart_serving DIR`: one argument serves what a training wrote; a real process answers."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from hack.cluster.ports import free_port
from heart_api.handover import Env
from heart_serving.laptop import build_environment
from heart_serving.settings import read_settings
from tests.support.serving.app import Running, wait_ready
from tests.support.serving.tiny_model import tiny_model

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("HEARTOPS_")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model().write(tmp_path)
    return tmp_path


def test_a_trained_folder_is_served_with_its_docs_log_and_metrics(folder: Path) -> None:
    port, management_port, log = free_port(), free_port(), folder / "server.log"
    options = ("--port", str(port), "--management-port", str(management_port), "--log", str(folder / "log.db"))
    command = [sys.executable, "-m", "heart_serving", str(folder), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=PLAIN, stdout=output, stderr=subprocess.STDOUT)
    try:
        server = Running(process, port, management_port, log)
        wait_ready(server)
        record = httpx.get(f"{server.url}/model").json()["examples"][0]
        answer = httpx.post(f"{server.url}/predict", json=record)
        assert answer.status_code == 200
        assert answer.json()["model_version"] == "0"
        known = answer.json()
        outcome = {"request_id": known["request_id"], "proof": known["proof"], "outcome": known["label"]}
        assert httpx.post(f"{server.url}/feedback", json=outcome).status_code == 202
        assert httpx.get(f"{server.url}/docs").status_code == 200
        assert 'model_name="heart"' in server.metrics()
    finally:
        process.terminate()
        process.wait(30)
    assert f"Serving heart at http://127.0.0.1:{port}" in log.read_text()
    assert "setup plugin" not in log.read_text()


def test_a_port_that_is_taken_is_named_and_nothing_is_said_to_be_served(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "heart_serving", str(folder), "--port", str(port), "--management-port", "0"]
        done = subprocess.run(command, env=PLAIN, capture_output=True, text=True, timeout=60)
    message = json.loads(done.stdout.splitlines()[-1])["message"]
    assert message.startswith(f"cannot listen at 127.0.0.1:{port}: address already in use; choose other ports (--port")
    assert (done.returncode, "Serving" in done.stderr, "Traceback" in done.stderr) == (1, False, False)


def test_options_win_over_variables_and_those_over_defaults(folder: Path) -> None:
    plain = read_settings(build_environment([str(folder)], {}))
    assert (plain.name, plain.namespace, plain.host, plain.port) == ("heart", "clinic", "127.0.0.1", 8080)
    assert (plain.grpc_port, plain.management_port, plain.log.url) == (None, 8081, "")
    variables = {"HEARTOPS_PORT": "9001", "HEARTOPS_GRPC_PORT": "9002"}
    assert read_settings(build_environment([str(folder)], variables)).grpc_port == 9002
    chosen = read_settings(build_environment([str(folder), "--port", "9003", "--log", "x.db"], variables))
    assert (chosen.port, chosen.log.url) == (9003, "sqlite:///x.db")


def test_the_file_itself_may_be_named(folder: Path) -> None:
    assert build_environment([str(folder / "model.onnx")], {})[Env.MODEL_FILE] == str(folder / "model.onnx")


@pytest.mark.parametrize("content", [None, b"no ONNX file"])
def test_what_is_no_model_is_named_with_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "model.onnx").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", "heart_serving", str(tmp_path)], env=PLAIN, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    message = json.loads(done.stdout.splitlines()[-1])["message"]
    assert message.startswith("not serving: ")
    assert ("python -m heart_trainer" in message) == (content is None)
    assert "Traceback" not in done.stderr
