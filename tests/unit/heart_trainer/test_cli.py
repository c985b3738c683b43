"""`python -m heart_trainer`, on a laptop and in a Job."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import yaml
from mlflow import MlflowClient

from heart_api.evaluation import CARD_PATH, EVALUATION_PATH, OOF_PATH, Evaluation, ServingReference
from heart_api.handover import EXIT_PERMANENT, Env, Tag, TrainingOutcome, TrainingRequest
from heart_api.package import PACKAGE_KEY, ServingPackage
from heart_api.referenceprofile import PROFILE_PATH
from heart_trainer.__main__ import main
from heart_trainer.manifest import BadManifest, read_manifest
from heart_trainer.mlflow.seals import sha256


@pytest.fixture(autouse=True)
def keep_signal_handler() -> object:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def in_job(tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a Job; returns the termination log."""
    monkeypatch.setenv(Env.TRACKING_URI, tracking_uri)
    monkeypatch.setenv(Env.ROW_KEY, "a key")
    monkeypatch.setenv(Env.TERMINATION_LOG, str(tmp_path / "termination"))
    return tmp_path / "termination"


def _outcome(path: Path) -> TrainingOutcome:
    return TrainingOutcome.model_validate_json(path.read_bytes())


def _edit(manifest: Path, **changes: object) -> Path:
    document = yaml.safe_load(manifest.read_text())
    document["spec"] |= changes
    manifest.write_text(yaml.safe_dump(document))
    return manifest


def test_laptop_training_ends_in_figures_card_and_version(
    tracking_uri: str, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(manifest), "--tracking-uri", tracking_uri, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "ROC-AUC" in printed
    assert "SYNTHETIC" in printed
    assert "version      1 of clinic.small" in printed
    assert "serve it     python -m heart_serving " in printed
    card = (tmp_path / "out" / CARD_PATH).read_text()
    assert "Trained on synthetic data" in card


def test_every_family_that_was_tried_has_its_figures(tracking_uri: str, manifest: Path, tmp_path: Path) -> None:
    """In MLflow, in the card and as a plot: a random forest beside logistic regression."""
    tried = ["logistic-regression", "random-forest"]
    _edit(manifest, training=yaml.safe_load(manifest.read_text())["spec"]["training"] | {"algorithms": tried})
    assert main([str(manifest), "--tracking-uri", tracking_uri, "--out", str(tmp_path / "out")]) == 0
    client = MlflowClient(tracking_uri, tracking_uri)
    (version,) = client.search_model_versions("name='clinic.small'")
    metrics = client.get_run(version.run_id).data.metrics
    values = [metrics[f"family.{name}.roc_auc"] for name in tried]
    assert all(0.5 < value <= 1 for value in values)
    assert all(0.5 < metrics[f"family.{name}.out_of_fold.roc_auc"] <= 1 for name in tried)
    assert values[0] != values[1]
    assert "plots/families.png" in _paths(client, version.run_id)
    card = (tmp_path / "out" / CARD_PATH).read_text()
    assert "Which families were tried" in card
    assert all(name in card for name in tried)


def test_what_is_in_mlflow_is_what_was_measured(
    in_job: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, tracking_uri: str
) -> None:
    request = read_manifest(manifest, trigger="t-1").model_copy(update={"job": "small-train"})
    monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True))
    assert main([]) == 0
    result = _outcome(in_job).result
    assert result is not None

    client = MlflowClient(tracking_uri, tracking_uri)
    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags[Tag.TRIGGER] == "t-1"
    assert run.data.params["algorithm"] == "logistic-regression"
    assert run.data.metrics["roc_auc_low"] < run.data.metrics["roc_auc"] < run.data.metrics["roc_auc_high"]
    assert run.inputs.dataset_inputs[0].dataset.source == "builtin://heart-synthetic?rows=200&seed=3"

    read = {
        path: Path(client.download_artifacts(result.run_id, path)).read_bytes()
        for path in _paths(client, result.run_id)
    }
    assert {
        CARD_PATH,
        EVALUATION_PATH,
        OOF_PATH,
        PROFILE_PATH,
        "pipeline/pipeline.joblib",
        "plots/roc.png",
    } <= read.keys()
    assert sha256(read[EVALUATION_PATH]) == result.evaluation_sha256
    evaluation = Evaluation.model_validate_json(read[EVALUATION_PATH])
    assert evaluation.out_of_fold_sha256 == sha256(read[OOF_PATH])
    assert evaluation.synthetic
    assert {finding.name for finding in evaluation.findings} == {"leakage", "chance", "duplicates", "parity"}

    (stored,) = Path("mlruns").rglob("artifacts/model.onnx")
    assert sha256(stored.read_bytes()) == result.artifact_sha256
    properties = {entry.key: entry.value for entry in onnx.load(stored).metadata_props}
    package = ServingPackage.model_validate_json(properties[PACKAGE_KEY])
    assert package.classes == ("no disease", "disease")
    assert package.metrics == evaluation.metrics
    assert package.explanation
    assert package.explanation.method == "linear"


def test_a_job_without_a_row_key_fails_and_registers_nothing(
    in_job: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, tracking_uri: str
) -> None:
    """With a key that everybody knows, row hashes could be guessed and a seal could be forged."""
    request = read_manifest(manifest, trigger="t-1")
    monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True))
    monkeypatch.delenv(Env.ROW_KEY)
    assert main([]) == EXIT_PERMANENT
    failure = _outcome(in_job).failure
    assert failure is not None
    assert failure.reason == "RowKeyMissing"
    assert "kubectl heart init-namespace clinic" in failure.message
    assert MlflowClient(tracking_uri, tracking_uri).search_registered_models() == []


def _paths(client: MlflowClient, run_id: str, folder: str | None = None) -> list[str]:
    found = client.list_artifacts(run_id, folder)
    return [path for entry in found for path in (_paths(client, run_id, entry.path) if entry.is_dir else [entry.path])]


def test_the_same_trigger_registers_one_version_and_the_next_is_compared_with_it(
    in_job: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, tracking_uri: str
) -> None:
    request = read_manifest(manifest, trigger="t-1")
    monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True))
    assert main([]) == 0
    first = _outcome(in_job).result
    assert main([]) == 0
    assert _outcome(in_job).result == first
    assert first is not None
    client = MlflowClient(tracking_uri, tracking_uri)
    assert len(client.search_model_versions("name = 'clinic.small'")) == 1

    serving = ServingReference(version=first.version, digest=first.artifact_sha256)
    more = request.dataset.model_copy(update={"uri": "builtin://heart-synthetic?rows=200&seed=4"})
    second = request.model_copy(update={"trigger": "t-2", "serving": serving, "dataset": more})
    monkeypatch.setenv(Env.TRAINING_REQUEST, second.model_dump_json(by_alias=True))
    assert main([]) == 0
    result = _outcome(in_job).result
    assert result is not None
    evaluation = Evaluation.model_validate_json(
        Path(client.download_artifacts(result.run_id, EVALUATION_PATH)).read_bytes()
    )
    assert evaluation.comparison is not None
    assert evaluation.comparison.against == serving
    assert evaluation.comparison.rows_unseen_by_serving == 200
    assert abs(evaluation.comparison.metrics["roc_auc"].difference) < 0.15


def test_a_serving_version_that_cannot_be_found_is_a_finding(
    in_job: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = ServingReference(version="9", digest="sha256:" + "0" * 64)
    request = read_manifest(manifest, trigger="t-1").model_copy(update={"serving": serving})
    monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True))
    assert main([]) == 0
    assert "not compared with version 9, the serving version" in capsys.readouterr().out


def test_bad_data_are_permanent_and_the_run_has_failed(
    in_job: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, tracking_uri: str
) -> None:
    request = read_manifest(manifest, trigger="t-1")
    wrong = request.dataset.model_copy(update={"sha256": "0" * 64})
    monkeypatch.setenv(
        Env.TRAINING_REQUEST, request.model_copy(update={"dataset": wrong}).model_dump_json(by_alias=True)
    )
    assert main([]) == EXIT_PERMANENT
    failure = _outcome(in_job).failure
    assert failure is not None
    assert failure.reason == "DatasetDigestMismatch"
    client = MlflowClient(tracking_uri, tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("clinic.small").experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]


def test_an_unforeseen_error_is_told_and_tried_again(
    in_job: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a value of a patient")

    monkeypatch.setattr("heart_trainer.job_training.fit", broken)
    monkeypatch.setenv(Env.TRAINING_REQUEST, read_manifest(manifest, trigger="t-1").model_dump_json(by_alias=True))
    assert main([]) == 1
    failure = _outcome(in_job).failure
    assert failure is not None
    assert failure.reason == "TrainingFailed"
    assert "ZeroDivisionError" in failure.message
    assert "patient" not in failure.message


def test_a_request_of_another_age_is_rejected_in_words(in_job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(Env.TRAINING_REQUEST, json.dumps({"namespace": "clinic"}))
    assert main([]) == EXIT_PERMANENT
    failure = _outcome(in_job).failure
    assert failure is not None
    assert "registryName" in failure.message


def test_sigterm_ends_the_run_as_killed(in_job: Path, manifest: Path, tracking_uri: str, tmp_path: Path) -> None:
    training = {"algorithms": ["random-forest"], "tuning": {"trials": 500}}
    request = read_manifest(_edit(manifest, training=training), trigger="t-1")
    environ = {**os.environ, Env.TRAINING_REQUEST: request.model_dump_json(by_alias=True)}
    command = [sys.executable, "-m", "heart_trainer"]
    with subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("pass the data contract" in line for line in process.stdout)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 1
        finally:
            process.kill()
    failure = _outcome(in_job).failure
    assert failure is not None
    assert failure.reason == "TrainingInterrupted"
    client = MlflowClient(tracking_uri, tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("clinic.small").experiment_id])
    assert [run.info.status for run in runs] == ["KILLED"]
    assert client.search_model_versions("name = 'clinic.small'") == []


def test_mistakes_in_a_manifest_are_named_by_field(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["training"]["seed"] = "many"
    del document["spec"]["target"]["name"]
    manifest.write_text(yaml.safe_dump(document))
    assert main([str(manifest)]) == EXIT_PERMANENT
    complaint = capsys.readouterr().err
    assert "spec.target.name: Required value" in complaint
    assert "spec.training.seed: Invalid value" in complaint
    assert "Traceback" not in complaint


def test_a_field_that_there_is_not_is_named(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load(manifest.read_text())
    document["spec"]["features"][1]["minimun"] = 3
    manifest.write_text(yaml.safe_dump(document))
    assert main([str(manifest)]) == EXIT_PERMANENT
    assert 'unknown field "spec.features[1].minimun"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind: Pod", "holds 0 HeartModels"),
        ("{", "is not YAML"),
        ("kind: HeartModel\napiVersion: v1", "apiVersion: must be heartops.dev/v1alpha1"),
        ("kind: HeartModel\napiVersion: heartops.dev/v1alpha1", "metadata.name"),
        ("kind: HeartModel\napiVersion: heartops.dev/v1alpha1\nmetadata: {name: a}", "spec"),
    ],
)
def test_files_that_hold_no_heart_model(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(BadManifest, match=complaint):
        read_manifest(tmp_path / "m.yaml", trigger="t")


def test_a_missing_file_and_no_file_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(Env.TRAINING_REQUEST, raising=False)
    assert main([str(tmp_path / "nothing.yaml")]) == EXIT_PERMANENT
    assert "cannot be read" in capsys.readouterr().err
    assert main([]) == EXIT_PERMANENT
    assert "name a HeartModel file" in capsys.readouterr().err


def test_the_example_is_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[3] / "examples/heart-disease/heartmodel.yaml"
    request = read_manifest(example, trigger="t")
    assert isinstance(request, TrainingRequest)
    assert request.registry_name == "clinic.heart-disease"
