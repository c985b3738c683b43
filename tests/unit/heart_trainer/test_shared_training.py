"""A training whose search two pods share, from their environments to the registered version."""

import signal
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from heart_api.handover import Env, Tag, TrainingOutcome
from heart_trainer.__main__ import main
from heart_trainer.manifest import read_manifest


@pytest.fixture(autouse=True)
def keep_signal_handler() -> object:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def pods(tracking_uri: str, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of both; returns their termination log."""
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["training"]["tuning"] = {"trials": 2, "parallelism": 2}
    manifest.write_text(yaml.safe_dump(document))
    request = read_manifest(manifest, "trigger")
    monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True, exclude_none=True))
    monkeypatch.setenv(Env.TRACKING_URI, tracking_uri)
    monkeypatch.setenv(Env.ROW_KEY, "a key")
    monkeypatch.setenv(Env.TERMINATION_LOG, str(tmp_path / "termination"))
    return tmp_path / "termination"


def test_the_second_pod_searches_and_the_first_registers(
    pods: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert main([]) == 0
    assert TrainingOutcome.model_validate_json(pods.read_bytes()) == TrainingOutcome()
    assert "handed over the settings of" in capsys.readouterr().out
    client = MlflowClient(tracking_uri)
    assert client.search_model_versions("name = 'clinic.small'") == []
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    assert main([]) == 0
    result = TrainingOutcome.model_validate_json(pods.read_bytes()).result
    assert result
    assert result.version == "1"
    experiment = client.get_experiment_by_name("clinic.small")
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    assert Tag.SEARCH not in run.data.tags  # what was handed over is gone
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert main([]) == 0
    assert "there is nothing to search" in capsys.readouterr().out
