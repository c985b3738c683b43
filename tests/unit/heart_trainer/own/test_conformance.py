"""The kit finds what would be refused in a Job, before anybody builds an image."""

from pathlib import Path

import pytest

from heart_api.owntrainer import launcher_limits
from heart_trainer.__main__ import main
from heart_trainer.own.engine import LAUNCHER, RESULTS, engine_command
from heart_trainer.own.judge import Exchange
from tests.support.soak import SOAK
from tests.unit.heart_trainer.own.conftest import FAIR, ROOT, program

pytestmark = pytest.mark.usefixtures("sdk")
BINARY = ["conformance", "--task", "binary", "--parameters", '{"scale": 1}']


def test_program_that_plays_fair_passes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*BINARY, "--", *program(tmp_path, FAIR).split()]) == 0
    printed = capfd.readouterr().out
    assert "4 of 4 checks passed" in printed
    assert "ok      binary      equal rows and an equal seed give an equal model" in printed


def test_program_that_draws_lots_is_told_to_fix_its_seeds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = FAIR.replace('task.parameters["scale"]', "np.random.default_rng().uniform(0.5, 1)")
    assert main([*BINARY, "--", *program(tmp_path, text).split()]) == 1
    assert "two trainings differ; fix its seeds" in capfd.readouterr().out


def test_program_without_a_network_is_told_what_failed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = "import socket; socket.create_connection(('127.0.0.1', 80))"
    assert main([*BINARY, "--", *program(tmp_path, text).split()]) == 1
    printed = capfd.readouterr().out
    assert "FAILED  binary      a model comes back that can be judged" in printed
    assert "Permission denied" in printed


def test_image_runs_bounded_as_its_container_does() -> None:
    words = engine_command(
        "docker", "lightgbm:1", ["python3", "t.py"], 400, Exchange(Path("/a"), Path("/b")), Path("/c")
    )
    assert words[:4] == ["docker", "run", "--rm", "--network=none"]
    assert {"--read-only", "--cap-drop=ALL", "--user=65533:65533", "--security-opt=no-new-privileges"} <= set(words)
    assert "--volume=/a:/heartops/own-rows:ro" in words
    image = words.index("lightgbm:1")
    assert words[image - 1] == f"--entrypoint={LAUNCHER}/ld.so"
    assert words[-5:] == [*launcher_limits(400, RESULTS), "python3", "t.py"]


def test_image_without_an_engine_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["conformance", "--image", "lightgbm:1", "--", "/trainer"]) == 2
    assert "--image needs docker or podman" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("example", "library", "parameters"),
    [("lightgbm", "lightgbm", '{"n_estimators": 30}'), ("pytorch", "torch", '{"epochs": 30}')],
)
def test_examples_keep_the_contract(
    example: str, library: str, parameters: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """PyTorch is no development dependency (gigabytes of CUDA): where it is installed, it is tried."""
    pytest.importorskip(library)
    tasks = [] if SOAK else ["--task", "binary"]
    command = ["python3", str(ROOT / f"examples/trainers/{example}/trainer.py")]
    assert main(["conformance", *tasks, "--parameters", parameters, "--", *command]) == 0
    assert f"{12 if SOAK else 4} of {12 if SOAK else 4} checks passed" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--parameters", "{bad"], "--parameters: no JSON object of settings"),
        (["--parameters", "[1]"], "--parameters: no JSON object of settings"),
        (["--parameters", '{"a b": 1}'], "--parameters: "),
        (["--timeout", "0"], "--timeout: "),
    ],
)
def test_options_that_cannot_be_are_named(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", *options, "--", "python3", "trainer.py"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(said)
    assert "pydantic" not in printed
