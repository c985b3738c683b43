"""Other people's client libraries against one server process: every way that they have says what /predict says."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack import venvs
from hack.cluster.ports import free_port
from tests.support.serving.app import CLIENT, Running, running
from tests.support.serving.tiny_model import RECORD, tiny_model

FOLDER = Path(__file__).parents[2] / "support" / "serving" / "clients"
PACKAGES: dict[str, list[str]] = tomllib.loads((FOLDER / "clients.toml").read_text())
RECORDS = [RECORD, {"age": 70, "sex": 0, "cp": "none", "vessels": 3, "exang": True}]
JAVA = shutil.which("java")
"""What a test of it shows test_hostile_connections shows as well, where there is no Java."""


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast-path", "asgi"])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[tuple[Running, int]]:
    grpc_port = free_port()
    variables = {"HEARTOPS_GRPC_PORT": str(grpc_port), "HEARTOPS_FAST_PATH": request.param}
    model = tiny_model(labels=("no disease", "disease"))
    with running(model, tmp_path_factory.mktemp("server"), **variables) as server:
        yield server, grpc_port


@pytest.mark.parametrize(
    ("environment", "script", "cases"),
    [
        ("triton", "triton.py", 15),
        ("kserve", "kserve_client.py", 5),
        ("mlserver", "mlserver_codecs.py", 2),
        (None, "mlflow_client.py", 3),
    ],
)
def test_a_python_client_gets_the_same_predictions(
    server: tuple[Running, int], environment: str | None, script: str, cases: int
) -> None:
    python = venvs.make(f"client-{environment}", PACKAGES[environment]).python if environment else sys.executable
    found = ask(server, python, FOLDER / script)
    assert len(found) == cases
    expected = [each["probability"] for each in predicted(server)]
    for case, probabilities in found.items():
        assert probabilities == pytest.approx(expected, abs=1e-6), case


@pytest.mark.parametrize("java", [JAVA] if JAVA else [])
def test_javas_client_gets_the_same_predictions(server: tuple[Running, int], java: str) -> None:
    answers = ask(server, java, FOLDER / "Ask.java")
    assert len(answers) == 6
    for case, answer in answers.items():
        assert answer["predictions"] == predicted(server), case


@pytest.mark.parametrize("option", ["--http2", "--http1.1"])
def test_curl_gets_the_same_predictions(server: tuple[Running, int], option: str) -> None:
    command = ["curl", "-sS", option, "-H", "Content-Type: application/json", "-d", json.dumps(RECORDS)]
    done = subprocess.run([*command, f"{server[0].url}/predict"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["predictions"] == predicted(server)


def ask(server: tuple[Running, int], *command: str | Path) -> dict[str, Any]:
    """What the client prints."""
    arguments = [*map(str, command), str(server[0].port), str(server[1]), json.dumps(RECORDS)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def predicted(server: tuple[Running, int]) -> Any:
    return CLIENT.post(f"{server[0].url}/predict", json=RECORDS).json()["predictions"]
