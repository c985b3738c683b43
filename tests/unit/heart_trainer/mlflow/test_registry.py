"""Names, seals and runs in a real MLflow store."""

import os
import signal
from pathlib import Path

import pytest
from mlflow.entities import Run

from heart_api.contract import Dataset, Feature, Target
from heart_api.evaluation import EVALUATION_PATH, OOF_PATH, ServingReference
from heart_api.handover import Tag, TrainingRequest
from heart_api.training import Training
from heart_trainer.errors import TrainerError
from heart_trainer.evaluation.compare import NotComparable
from heart_trainer.mlflow.client import RegistryUnavailable, Store
from heart_trainer.mlflow.registry import Digests, already_registered, claim, register
from heart_trainer.mlflow.seals import sha256
from heart_trainer.mlflow.serving_version import serving_model

KEY = "row key of the namespace"
REQUEST = TrainingRequest(
    namespace="clinic",
    name="heart",
    registry_name="clinic.heart",
    trigger="t-1",
    job="heart-train-1",
    dataset=Dataset(uri="builtin://heart-synthetic"),
    target=Target(name="num"),
    features=(Feature(name="age", type="number"),),
    training=Training(),
)


@pytest.fixture
def store(tracking_uri: str) -> Store:
    return Store(tracking_uri)


def _register(store: Store, folder: Path, evaluation: bytes = b"{}", row_key: str = KEY) -> str:
    """A version whose files are what its tags say; returns its number."""
    claim(store, REQUEST)
    experiment = store.experiment(REQUEST.registry_name)
    (folder / "files/evaluation").mkdir(parents=True)
    (folder / "files" / EVALUATION_PATH).write_bytes(evaluation)
    (folder / "files" / OOF_PATH).write_bytes(b"{}")
    (folder / "model.onnx").write_bytes(b"the model")
    with store.run(experiment, "training", {}) as run_id:
        store.log_folder(run_id, folder / "files")
        model = store.client.create_logged_model(experiment, name="model", source_run_id=run_id)
        store.client.log_model_artifact(model.model_id, str(folder / "model.onnx"))
        digests = Digests(sha256(b"the model"), sha256(evaluation), "sha256:data", "sha256:contract")
        return register(store, REQUEST, run_id, model.model_id, digests, row_key).version


def test_a_registered_version_carries_every_tag(store: Store, tmp_path: Path) -> None:
    version = store.client.get_model_version("clinic.heart", _register(store, tmp_path))
    assert version.tags[Tag.TRIGGER] == "t-1"
    assert version.tags[Tag.JOB] == "heart-train-1"
    assert version.tags[Tag.MODEL] == "clinic/heart"
    assert version.tags[Tag.DATASET_SHA256] == "sha256:data"
    assert store.client.get_registered_model("clinic.heart").tags[Tag.MODEL] == "clinic/heart"


def test_what_an_earlier_pod_registered_is_found_again(store: Store, tmp_path: Path) -> None:
    assert already_registered(store, REQUEST, KEY) is None
    version = _register(store, tmp_path)
    found = already_registered(store, REQUEST, KEY)
    assert found is not None
    assert (found.version, found.artifact_sha256) == (version, sha256(b"the model"))
    assert already_registered(store, REQUEST.model_copy(update={"trigger": "t-2"}), KEY) is None


def test_a_version_that_somebody_else_registered_is_not_believed(store: Store, tmp_path: Path) -> None:
    _register(store, tmp_path, row_key="guessed")
    assert already_registered(store, REQUEST, KEY) is None


def test_a_version_whose_file_was_changed_is_not_believed(store: Store, tmp_path: Path) -> None:
    _register(store, tmp_path)
    (stored,) = (tmp_path / "mlruns").rglob("artifacts/model.onnx")
    stored.write_bytes(b"another model")
    assert already_registered(store, REQUEST, KEY) is None


def test_a_registered_model_belongs_to_who_claimed_it_first(store: Store) -> None:
    claim(store, REQUEST)
    claim(store, REQUEST)
    with pytest.raises(TrainerError, match="belongs to the HeartModel clinic/heart") as caught:
        claim(store, REQUEST.model_copy(update={"name": "other"}))
    assert (caught.value.reason, caught.value.permanent) == ("RegistryNameTaken", True)


def test_a_registered_model_without_an_owner_is_claimed(store: Store) -> None:
    store.client.create_registered_model("clinic.heart")
    claim(store, REQUEST)
    assert store.client.get_registered_model("clinic.heart").tags[Tag.MODEL] == "clinic/heart"


def test_the_serving_version_is_checked_before_it_is_believed(store: Store, tmp_path: Path) -> None:
    version = _register(store, tmp_path)
    with pytest.raises(NotComparable, match="digests differ"):
        serving_model(store, "clinic.heart", ServingReference(version=version, digest="sha256:" + "0" * 64), KEY)
    right = ServingReference(version=version, digest=sha256(b"the model"))
    with pytest.raises(NotComparable, match="no seal of this row key"):
        serving_model(store, "clinic.heart", right, "another key")
    with pytest.raises(NotComparable, match="could not be read"):
        serving_model(store, "clinic.heart", ServingReference(version="99", digest=right.digest), KEY)


def _run(store: Store, run_id: str) -> Run:
    return store.client.get_run(run_id)


def test_runs_end_with_what_happened(store: Store) -> None:
    experiment = store.experiment("clinic.heart")
    with store.run(experiment, "good", {}) as good:
        pass
    with pytest.raises(ZeroDivisionError), store.run(experiment, "bad", {}) as bad:
        raise ZeroDivisionError
    handler, environ = signal.getsignal(signal.SIGTERM), dict(os.environ)
    try:
        with pytest.raises(KeyboardInterrupt), store.run(experiment, "stopped", {}) as stopped:
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGTERM, handler)
        os.environ.clear()
        os.environ.update(environ)
    assert [_run(store, run_id).info.status for run_id in (good, bad, stopped)] == ["FINISHED", "FAILED", "KILLED"]


def test_runs_that_an_earlier_pod_left_running_are_closed(store: Store) -> None:
    experiment = store.experiment("clinic.heart")
    left = store.client.create_run(experiment, tags={Tag.TRIGGER: "t-1"}).info.run_id
    other = store.client.create_run(experiment, tags={Tag.TRIGGER: "t-2"}).info.run_id
    assert store.close_running(experiment, Tag.TRIGGER, "t-1") == 1
    assert [_run(store, run_id).info.status for run_id in (left, other)] == ["KILLED", "RUNNING"]


def test_a_deleted_experiment_comes_back(store: Store) -> None:
    first = store.experiment("clinic.heart")
    store.client.delete_experiment(first)
    assert store.experiment("clinic.heart") == first
    assert store.client.get_experiment(first).lifecycle_stage == "active"


def test_an_unreachable_server_is_said_so_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    with pytest.raises(RegistryUnavailable) as caught:
        Store("http://user:secret@127.0.0.1:9").experiment("clinic.heart")
    assert not caught.value.permanent
    assert "127.0.0.1:9" in caught.value.message
    assert "secret" not in caught.value.message
