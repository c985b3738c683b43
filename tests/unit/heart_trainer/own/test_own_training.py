"""From a HeartModel that names a trainer to a registered version: on a laptop, and by the containers of a Job's pod."""

import signal
import subprocess
from pathlib import Path

import onnx
import pytest
import yaml
from mlflow import MlflowClient

from heart_api.evaluation import CARD_PATH, EVALUATION_PATH, OOF_PATH, Evaluation, OutOfFold
from heart_api.handover import EXIT_PERMANENT, Env, Tag, TrainingOutcome
from heart_api.owntrainer import REPORT, launcher_command
from heart_api.package import PACKAGE_KEY, ServingPackage
from heart_trainer.__main__ import main
from heart_trainer.manifest import read_manifest
from heart_trainer.own.contract import MODEL, PREDICTIONS
from tests.unit.heart_trainer.own.conftest import FAIR, program

pytestmark = pytest.mark.usefixtures("sdk")


@pytest.fixture(autouse=True)
def keep_signal_handler() -> object:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def pod(tracking_uri: str, own_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment and the volumes of a Job's pod; returns their folder."""
    request = read_manifest(own_manifest, "trigger").model_copy(update={"trainer_image": "registry.example.org/ours:1"})
    monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True, exclude_none=True))
    monkeypatch.setenv(Env.TRACKING_URI, tracking_uri)
    monkeypatch.setenv(Env.ROW_KEY, "a key that nobody else has")
    monkeypatch.setenv(Env.TERMINATION_LOG, str(tmp_path / "termination"))
    folders = {Env.OWN_ROWS: "rows", Env.OWN_RESULTS: "results", Env.OWN_LAUNCHER: "launcher"}
    for variable, name in folders.items():
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    return tmp_path


def _outcome(pod: Path) -> TrainingOutcome:
    return TrainingOutcome.model_validate_json((pod / "termination").read_bytes())


def _launch(pod: Path, command: str, environ: dict[str, str]) -> None:
    limits = ["60", str(1 << 30), str(pod / "results" / REPORT)]
    folders = {Env.OWN_ROWS: str(pod / "rows"), Env.OWN_RESULTS: str(pod / "results")}
    started = [*launcher_command(str(pod / "launcher")), *limits, *command.split()]
    subprocess.run(started, env={**environ, **folders}, check=True)


def test_laptop_training_registers_what_the_program_returned(
    tracking_uri: str, own_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = program(tmp_path, FAIR)
    arguments = [str(own_manifest), "--tracking-uri", tracking_uri, "--out", str(tmp_path / "out")]
    assert main([*arguments, "--trainer", command]) == 0
    assert "version      1 of clinic.small" in capsys.readouterr().out
    out = tmp_path / "out"
    package = onnx.load(out / MODEL).metadata_props[0]
    assert package.key == PACKAGE_KEY
    assert ServingPackage.model_validate_json(package.value).algorithm == "ours"
    evaluation = Evaluation.model_validate_json((out / EVALUATION_PATH).read_bytes())
    predictions = OutOfFold.model_validate_json((out / OOF_PATH).read_bytes()).predictions
    judged = [row for row in predictions.values() if row]
    assert 30 < evaluation.metrics["roc_auc"].n < 90
    assert evaluation.rows == 200
    assert 30 < len(judged) < 90  # of the others nothing honest can be said
    assert "It never got the 30% of the rows" in (out / CARD_PATH).read_text().replace("\n", " ")


def test_laptop_is_told_how_to_name_the_program(
    tracking_uri: str, own_manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(own_manifest), "--tracking-uri", tracking_uri]) == EXIT_PERMANENT
    assert "--trainer 'python3 trainer.py'" in capsys.readouterr().err


def test_laptop_is_told_that_a_program_would_be_left_out(
    manifest: Path, own_manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = own_manifest.read_text()
    assert main([str(own_manifest), "--trainer", "python3 'trainer.py"]) == EXIT_PERMANENT
    assert "is no command: is a quote missing?" in capsys.readouterr().err
    document = yaml.safe_load(text)
    for name in ("trainer", "parameters"):
        document["spec"]["training"].pop(name, None)
    manifest.write_text(yaml.safe_dump(document))
    assert main([str(manifest), "--trainer", "python3 trainer.py"]) == EXIT_PERMANENT
    assert "names no spec.training.trainer" in capsys.readouterr().err


def test_containers_of_a_pod_one_after_the_other(pod: Path, tmp_path: Path, tracking_uri: str) -> None:
    import os

    assert main(["prepare"]) == 0
    assert _outcome(pod) == TrainingOutcome()  # there is more to come
    _launch(pod, program(tmp_path, FAIR), {"PYTHONPATH": os.environ["PYTHONPATH"], "HOME": str(tmp_path)})
    assert main([]) == 0
    result = _outcome(pod).result
    assert result
    assert result.version == "1"
    client = MlflowClient(tracking_uri)
    assert client.get_model_version("clinic.small", "1").tags[Tag.SEAL].startswith("training:")
    parameters = client.get_run(result.run_id).data.params
    assert parameters["trainer"] == "ours"
    assert parameters["trainer_image"] == "registry.example.org/ours:1"
    assert parameters["model.scale"] == "1"


STEAL = """
import os, sys
print("\\n".join(f"{name}={value}" for name, value in os.environ.items()))
sys.exit(1)
"""


def test_program_finds_no_credentials_and_its_words_reach_people(pod: Path, tmp_path: Path) -> None:
    assert main(["prepare"]) == 0
    _launch(pod, program(tmp_path, "import sys; sys.exit('num_leaves must be a number')"), {})
    assert main([]) == EXIT_PERMANENT
    failure = _outcome(pod).failure
    assert failure
    assert failure.reason == "TrainerFailed"
    assert "exit code 1. Its last lines: num_leaves must be a number" in failure.message


def test_laptops_credentials_are_not_handed_on(
    tracking_uri: str,
    own_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    secrets = {
        Env.ROW_KEY: "s3cret-row-key",
        "MLFLOW_TRACKING_PASSWORD": "s3cret-word",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    arguments = [str(own_manifest), "--tracking-uri", tracking_uri, "--trainer", program(tmp_path, STEAL)]
    assert main(arguments) == EXIT_PERMANENT
    printed = "".join(capfd.readouterr())
    assert "HEARTOPS_ROWS=" in printed
    assert "s3cret" not in printed


def test_registry_gets_nothing_of_a_program_that_failed(pod: Path, tmp_path: Path, tracking_uri: str) -> None:
    assert main(["prepare"]) == 0
    _launch(pod, program(tmp_path, "print('nothing to return')"), {})
    assert main([]) == EXIT_PERMANENT
    assert not (pod / "results" / PREDICTIONS).exists()
    assert MlflowClient(tracking_uri).search_model_versions("name = 'clinic.small'") == []
