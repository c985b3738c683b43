"""Versions that somebody registered by hand: what an evaluation Job measures, and what it refuses."""

import json
import pickle
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from onnx import helper, numpy_helper
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from heart_api.evaluation import EVALUATION_PATH, OOF_PATH, ServingReference
from heart_api.handover import (
    EXIT_PERMANENT,
    Env,
    EvaluationRequest,
    Tag,
    TrainingFailure,
    TrainingOutcome,
    TrainingResult,
)
from heart_api.package import MODEL_FILE, ONNX_INPUT, ONNX_OUTPUT, ServingPackage
from heart_api.referenceprofile import PROFILE_PATH
from heart_trainer.__main__ import main
from heart_trainer.by_hand import Rows, package_and_register, read_rows
from heart_trainer.errors import NotServable, TrainerError
from heart_trainer.evaluation.evaluate import measure
from heart_trainer.fit.onnx_export import attach_package, run_onnx, to_bytes
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.seals import MISSING, sha256
from heart_trainer.package.reference_rows import reference_rows
from heart_trainer.values import OutOfFoldResult
from tests.support.registry.job_output import read_evaluation
from tests.support.serving.tiny_model import tiny_graph

NAME = "clinic.small"
TRIGGER = "evaluate-1-0a1b2c3d"


@pytest.fixture
def rows(manifest: Path) -> Rows:
    return read_rows(manifest)


@pytest.fixture
def model(rows: Rows) -> Any:
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(rows.x, rows.y)


@pytest.fixture
def client(tracking_uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri, tracking_uri)


@pytest.fixture
def evaluate(
    tracking_uri: str, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., TrainingOutcome]:
    """Run the Job; what it tells the operator. `changes` are of the request."""
    log = tmp_path / "termination"
    monkeypatch.setenv(Env.TRACKING_URI, tracking_uri)
    monkeypatch.setenv(Env.ROW_KEY, "a key")
    monkeypatch.setenv(Env.TERMINATION_LOG, str(log))

    def run(version: str = "1", **changes: Any) -> TrainingOutcome:
        asked = {**rows.request.dump(), "trigger": TRIGGER, "job": "small-evaluate", "version": version}
        request = EvaluationRequest.model_validate(asked).model_copy(update=changes)
        monkeypatch.setenv(Env.EVALUATION_REQUEST, request.model_dump_json(by_alias=True))
        code = main(["evaluate"])
        outcome = TrainingOutcome.model_validate_json(log.read_bytes())
        failed = outcome.failure
        assert code == (0 if failed is None else EXIT_PERMANENT if failed.reason == "NotServable" else code)
        return outcome

    return run


def _result(outcome: TrainingOutcome) -> TrainingResult:
    assert outcome.result, outcome.failure
    return outcome.result


def _rejection(outcome: TrainingOutcome) -> TrainingFailure:
    assert outcome.failure
    assert outcome.failure.reason == "NotServable"
    return outcome.failure


def _register_files(client: MlflowClient, tmp_path: Path, files: dict[str, bytes]) -> str:
    """A version as anybody may register one: some files of some run."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    experiment = client.create_experiment("notebooks", artifact_location=(tmp_path / "store").as_uri())
    run = client.create_run(experiment).info
    client.log_artifacts(run.run_id, str(folder), "model")
    with suppress(MlflowException):  # it is there already
        client.create_registered_model(NAME)
    return str(client.create_model_version(NAME, f"{run.artifact_uri}/model", run.run_id).version)


def _packed(converted: bytes, rows: Rows, **changes: Any) -> bytes:
    fields = {
        "registry_name": NAME,
        "task": "binary",
        "algorithm": "mine",
        "features": rows.request.features,
        "target": rows.request.target,
        "classes": rows.table.classes,
        "reference": reference_rows(converted, rows.table),
    }
    return attach_package(converted, ServingPackage(**(fields | changes)))


def test_figures_are_those_of_the_model_itself(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, model: Any, rows: Rows, tracking_uri: str
) -> None:
    version = package_and_register(model, rows, tracking_uri, algorithm="logistic-regression")
    result = _result(evaluate(version))
    evaluation = read_evaluation(client, result)
    output = model.predict_proba(rows.x)
    seen = OutOfFoldResult(output, np.zeros(len(output), np.int64), ())
    direct = measure(rows.table, rows.request.features, seen, rows.request.training.seed)
    assert evaluation.metrics.keys() == direct.metrics.keys()
    for name, figure in evaluation.metrics.items():
        expected = direct.metrics[name]
        assert (figure.n, figure.events) == (expected.n, expected.events)
        for end in ("estimate", "low", "high"):
            assert getattr(figure, end) == pytest.approx(getattr(expected, end), abs=2e-4), name
    assert {part.group for part in evaluation.slices} == {part.group for part in direct.slices}
    assert evaluation.algorithm == "logistic-regression"
    assert evaluation.synthetic


def test_the_outcome_names_bytes_run_and_evaluation(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, model: Any, rows: Rows, tracking_uri: str
) -> None:
    version = package_and_register(model, rows, tracking_uri)
    (stored,) = Path("mlruns").rglob("artifacts/model.onnx")
    result = _result(evaluate(version))
    assert (result.version, result.artifact_sha256) == (version, sha256(stored.read_bytes()))
    assert (result.sealed, result.seal_message) == (False, MISSING)
    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    assert (run.data.tags[Tag.TRIGGER], run.data.tags[Tag.VERSION]) == (TRIGGER, version)
    assert run.data.metrics["roc_auc"] == read_evaluation(client, result).metrics["roc_auc"].estimate
    assert client.get_experiment(run.info.experiment_id).name == NAME
    assert {entry.path for entry in client.list_artifacts(result.run_id, "evaluation")} == {
        EVALUATION_PATH,
        PROFILE_PATH,
    }
    found = client.get_model_version(NAME, version)
    assert found.run_id != result.run_id
    assert found.tags[Tag.EVALUATION_RUN] == result.run_id
    assert found.tags[Tag.ARTIFACT_SHA256] == result.artifact_sha256
    assert found.tags[Tag.TRIGGER] == TRIGGER
    assert len(client.search_model_versions(f"name = '{NAME}'")) == 1


def test_a_version_of_our_own_is_known_by_its_seal_and_keeps_its_records(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, manifest: Path, tracking_uri: str, tmp_path: Path
) -> None:
    """Its training Job and the status may be long gone: the key is all that it takes."""
    assert main([str(manifest), "--tracking-uri", tracking_uri, "--out", str(tmp_path / "out")]) == 0
    before = client.get_model_version(NAME, "1").tags
    result = _result(evaluate("1"))
    assert (result.sealed, result.seal_message) == (True, None)
    assert client.get_model_version(NAME, "1").tags == before


def test_a_copy_of_a_sealed_version_is_one_from_outside(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, manifest: Path, tracking_uri: str, tmp_path: Path
) -> None:
    main([str(manifest), "--tracking-uri", tracking_uri, "--out", str(tmp_path / "out")])
    original = client.get_model_version(NAME, "1")
    copied = client.create_model_version(NAME, original.source, original.run_id, tags=original.tags).version
    result = _result(evaluate(str(copied)))
    assert result.sealed is False
    assert "key for this name, version" in (result.seal_message or "")


def test_figures_of_learnt_rows_are_called_a_best_case(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, model: Any, rows: Rows, tracking_uri: str
) -> None:
    package_and_register(model, rows, tracking_uri)
    findings = {finding.name: finding for finding in read_evaluation(client, _result(evaluate())).findings}
    assert findings["in-sample"].verdict == "InsufficientEvidence"
    assert "may have learnt these very rows" in findings["in-sample"].message
    assert findings["leakage"].verdict == "Passed"


def test_a_model_that_knows_the_rows_by_heart_is_a_leak(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, rows: Rows, tracking_uri: str
) -> None:
    parrot = make_pipeline(SimpleImputer(), DecisionTreeClassifier(random_state=0)).fit(rows.x, rows.y)
    package_and_register(parrot, rows, tracking_uri)
    findings = {finding.name: finding for finding in read_evaluation(client, _result(evaluate())).findings}
    assert findings["leakage"].verdict == "Failed"
    assert "may have learnt these very rows" in findings["leakage"].message


def test_out_of_fold_predictions_that_somebody_brings_along_are_not_believed(
    evaluate: Callable[..., TrainingOutcome],
    client: MlflowClient,
    model: Any,
    rows: Rows,
    tracking_uri: str,
    tmp_path: Path,
) -> None:
    version = package_and_register(model, rows, tracking_uri)
    perfect = {key: [1.0 - y, float(y)] for key, y in zip(rows.table.keys, rows.y, strict=True)}
    file = tmp_path / Path(OOF_PATH).name
    file.write_text(json.dumps({"task": "binary", "predictions": perfect}))
    client.log_artifact(client.get_model_version(NAME, version).run_id, str(file), "evaluation")
    evaluation = read_evaluation(client, _result(evaluate()))
    assert evaluation.metrics["roc_auc"].estimate < 0.99
    assert evaluation.out_of_fold_sha256 is None


def test_a_copy_of_what_serves_is_neither_better_nor_worse(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, manifest: Path, tracking_uri: str
) -> None:
    """Against the serving version's out-of-fold predictions, the copy's in-sample answers would look better."""
    assert main([str(manifest), "--tracking-uri", tracking_uri]) == 0
    first = client.get_model_version(NAME, "1")
    serving = ServingReference(version="1", digest=first.tags[Tag.ARTIFACT_SHA256])
    copy = client.copy_model_version(f"models:/{NAME}/1", NAME)
    result = _result(evaluate(str(copy.version), serving=serving))
    assert result.artifact_sha256 == serving.digest
    comparison = read_evaluation(client, result).comparison
    assert comparison
    assert comparison.against == serving
    assert comparison.rows_unseen_by_serving == 0
    assert {(found.difference, found.low, found.high) for found in comparison.metrics.values()} == {(0.0, 0.0, 0.0)}


def test_a_worse_model_is_compared_as_worse(
    evaluate: Callable[..., TrainingOutcome],
    client: MlflowClient,
    manifest: Path,
    rows: Rows,
    tmp_path: Path,
    tracking_uri: str,
) -> None:
    """Upside down: by hand it is not registered at all, and one that is there all the same fails a check."""
    assert main([str(manifest), "--tracking-uri", tracking_uri]) == 0
    digest = client.get_model_version(NAME, "1").tags[Tag.ARTIFACT_SHA256]
    upside_down = make_pipeline(SimpleImputer(), LogisticRegression()).fit(rows.x, 1 - rows.y)
    with pytest.raises(NotServable, match="worse than chance"):
        package_and_register(upside_down, rows, tracking_uri)
    _register_files(client, tmp_path, {MODEL_FILE: _packed(to_bytes(upside_down, 4), rows)})
    evaluation = read_evaluation(client, _result(evaluate("2", serving=ServingReference(version="1", digest=digest))))
    assert evaluation.comparison
    assert evaluation.comparison.metrics["roc_auc"].high < -0.2
    assert {found.name: found.verdict for found in evaluation.findings}["chance"] == "Failed"


def test_a_serving_version_of_other_bytes_is_not_compared_with(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, model: Any, rows: Rows, tracking_uri: str
) -> None:
    package_and_register(model, rows, tracking_uri)
    second = package_and_register(model, rows, tracking_uri)
    wrong = ServingReference(version="1", digest="sha256:" + "0" * 64)
    evaluation = read_evaluation(client, _result(evaluate(second, serving=wrong)))
    assert evaluation.comparison is None
    assert any("digests differ" in finding.message for finding in evaluation.findings)


def test_the_next_training_says_why_it_is_not_compared_with_a_version_made_by_hand(
    evaluate: Callable[..., TrainingOutcome],
    client: MlflowClient,
    model: Any,
    rows: Rows,
    tracking_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = _result(evaluate(package_and_register(model, rows, tracking_uri)))
    serving = ServingReference(version="1", digest=first.artifact_sha256)
    request = rows.request.model_copy(update={"serving": serving, "trigger": "t-1"})
    monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True))
    assert main([]) == 0
    trained = _result(TrainingOutcome.model_validate_json(Path("termination").read_bytes()))
    messages = [finding.message for finding in read_evaluation(client, trained).findings]
    assert any("registered by hand" in message for message in messages)


# --- what is not served ------------------------------------------------------------------------------


class Marker:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "unpickled")


def test_a_pickle_is_never_opened(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path
) -> None:
    trap = tmp_path / "unpickled"
    data = pickle.dumps(Marker(trap))
    pickle.loads(data)
    assert trap.exists(), "the trap does not work"
    trap.unlink()
    flavour = b"flavors:\n  sklearn: {pickled_model: model.pkl}\n  python_function: {loader_module: mlflow.sklearn}\n"
    _register_files(client, tmp_path, {"model.pkl": data, "MLmodel": flavour})
    message = _rejection(evaluate()).message
    assert "no model.onnx" in message
    assert "package_and_register" in message
    assert not trap.exists()


def test_a_pickle_beside_a_good_file_is_never_opened(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path, model: Any, rows: Rows
) -> None:
    trap = tmp_path / "unpickled"
    data = _packed(to_bytes(model, 4), rows)
    _register_files(client, tmp_path, {"model.pkl": pickle.dumps(Marker(trap)), MODEL_FILE: data})
    assert _result(evaluate()).artifact_sha256 == sha256(data)
    assert not trap.exists()


def test_an_onnx_file_without_package_is_rejected(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path, model: Any
) -> None:
    _register_files(client, tmp_path, {MODEL_FILE: to_bytes(model, 4)})
    message = _rejection(evaluate()).message
    assert "heartops.package" in message
    assert "package_and_register" in message


def test_something_else_under_the_models_name_is_rejected(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path
) -> None:
    _register_files(client, tmp_path, {MODEL_FILE: b"\x80\x04 not an onnx file"})
    assert "not ONNX" in _rejection(evaluate()).message


def test_a_file_too_large_to_serve_is_not_even_fetched(
    evaluate: Callable[..., TrainingOutcome],
    client: MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heart_trainer.package.servable.MAX_MODEL_BYTES", 10)
    monkeypatch.setattr(Store, "read", lambda *_: pytest.fail("it was fetched"))
    _register_files(client, tmp_path, {MODEL_FILE: b"x" * 11})
    assert "at most 10 are served" in _rejection(evaluate()).message


def _in_order(rows: Rows, *names: str) -> tuple[Any, ...]:
    by_name = {feature.name: feature for feature in rows.request.features}
    return tuple(by_name[name] for name in names)


OTHER_CONTRACTS: list[tuple[Callable[[Rows], dict[str, Any]], str]] = [
    (lambda rows: {"features": _in_order(rows, "sex", "age", "thalach", "oldpeak")}, "another order"),
    (
        lambda rows: {
            "features": (
                *rows.request.features[:3],
                rows.request.features[3].model_copy(update={"name": "chol"}),
            )
        },
        "does not use oldpeak; it needs chol",
    ),
    (
        lambda rows: {
            "features": (
                rows.request.features[0],
                rows.request.features[1].model_copy(update={"values": (1, 0)}),
                *rows.request.features[2:],
            )
        },
        r"values of sex differs from spec\.features\[1\]\.values",
    ),
    (
        lambda rows: {
            "features": (rows.request.features[0].model_copy(update={"required": True}), *rows.request.features[1:])
        },
        r"required of age differs from spec\.features\[0\]\.required",
    ),
    (
        lambda rows: {"target": rows.request.target.model_copy(update={"positive_above": 1})},
        r"positiveAbove differs from spec\.target\.positiveAbove",
    ),
    (lambda rows: {"classes": ("no", "yes")}, "other classes"),
]


@pytest.mark.parametrize(("change", "words"), OTHER_CONTRACTS)
def test_another_contract_is_rejected_by_field(
    evaluate: Callable[..., TrainingOutcome],
    client: MlflowClient,
    tmp_path: Path,
    model: Any,
    rows: Rows,
    change: Callable[[Rows], dict[str, Any]],
    words: str,
) -> None:
    _register_files(client, tmp_path, {MODEL_FILE: _packed(to_bytes(model, 4), rows, **change(rows))})
    message = _rejection(evaluate()).message
    assert re.search(words, message), message


def test_words_for_people_may_differ(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path, model: Any, rows: Rows
) -> None:
    described = tuple(feature.model_copy(update={"description": "…", "unit": "u"}) for feature in rows.request.features)
    _register_files(client, tmp_path, {MODEL_FILE: _packed(to_bytes(model, 4), rows, features=described)})
    _result(evaluate())


def _with_tail(*nodes: onnx.NodeProto, constants: dict[str, float | int]) -> bytes:
    """A model of four features whose output goes through further nodes, from `plain` to `output`."""
    graph = tiny_graph(4, "binary", 2, seed=3)
    graph.graph.node[-1].output[0] = "plain"
    for name, value in constants.items():
        array = np.array([value], np.int64) if isinstance(value, int) else np.array(value, np.float32)
        graph.graph.initializer.append(numpy_helper.from_array(array, name))
    graph.graph.node.extend(nodes)
    return bytes(graph.SerializeToString())


def _honest_reference(converted: bytes) -> dict[str, Any]:
    """Reference rows that hide what is wrong: everybody is young."""
    x = np.array([[20 + i, i % 2, 150 + i, i / 10] for i in range(8)], np.float32)
    return {"reference": {"inputs": x.tolist(), "outputs": run_onnx(converted, x).tolist()}}


def test_nan_for_some_patients_is_rejected_though_the_reference_rows_are_fine(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path, rows: Rows
) -> None:
    """The square root of 60 less the age."""
    converted = _with_tail(
        helper.make_node("Gather", [ONNX_INPUT, "first"], ["age"], axis=1),
        helper.make_node("Sub", ["sixty", "age"], ["left"]),
        helper.make_node("Sqrt", ["left"], ["root"]),
        helper.make_node("Mul", ["root", "nothing"], ["poison"]),
        helper.make_node("Add", ["plain", "poison"], [ONNX_OUTPUT]),
        constants={"first": 0, "sixty": 60.0, "nothing": 0.0},
    )
    _register_files(client, tmp_path, {MODEL_FILE: _packed(converted, rows, **_honest_reference(converted))})
    old = int((rows.x[:, 0] > 60).sum())
    assert f"NaN or infinity to {old} of 200 rows" in _rejection(evaluate()).message


def test_scores_that_are_no_probabilities_are_rejected(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path, rows: Rows
) -> None:
    converted = _with_tail(helper.make_node("Mul", ["plain", "ten"], [ONNX_OUTPUT]), constants={"ten": 10.0})
    _register_files(client, tmp_path, {MODEL_FILE: _packed(converted, rows, **_honest_reference(converted))})
    assert "not probabilities" in _rejection(evaluate()).message


def test_a_model_that_fails_its_own_self_check_is_rejected(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path, model: Any, rows: Rows
) -> None:
    converted = to_bytes(model, 4)
    reference = reference_rows(converted, rows.table)
    other = reference.model_copy(update={"outputs": tuple((b, a) for a, b in reference.outputs)})
    _register_files(client, tmp_path, {MODEL_FILE: _packed(converted, rows, reference=other)})
    assert "self-check" in _rejection(evaluate()).message


def test_a_version_that_was_deleted_meanwhile_is_said_so(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient
) -> None:
    client.create_registered_model(NAME)
    assert "has no version 3 any more" in _rejection(evaluate("3")).message


def test_the_run_of_a_rejected_version_has_failed(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path
) -> None:
    _register_files(client, tmp_path, {"notes.txt": b"nothing to serve"})
    _rejection(evaluate())
    experiment = client.get_experiment_by_name(NAME)
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]
    assert not client.get_model_version(NAME, "1").tags


def test_a_registered_model_that_nobody_owns_is_claimed_and_anothers_is_not(
    evaluate: Callable[..., TrainingOutcome], client: MlflowClient, tmp_path: Path, model: Any, rows: Rows
) -> None:
    _register_files(client, tmp_path, {MODEL_FILE: _packed(to_bytes(model, 4), rows)})
    _result(evaluate())
    assert client.get_registered_model(NAME).tags[Tag.MODEL] == "clinic/small"
    client.set_registered_model_tag(NAME, Tag.MODEL, "clinic/other")
    failure = evaluate().failure
    assert failure
    assert failure.reason == "RegistryNameTaken"


# --- notebooks and terminals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no model", "are no ONNX file"),
        (bytes(tiny_graph(5, "binary", 2, seed=3).SerializeToString()), r"\[rows, 4\]"),
    ],
)
def test_a_notebook_hears_at_once_that_a_file_cannot_be_served(
    rows: Rows, tracking_uri: str, client: MlflowClient, data: bytes, words: str
) -> None:
    with pytest.raises(NotServable, match=words):
        package_and_register(data, rows, tracking_uri)
    assert client.search_registered_models() == []


def test_a_notebook_may_bring_an_onnx_file(
    rows: Rows, tracking_uri: str, evaluate: Callable[..., TrainingOutcome]
) -> None:
    data = bytes(tiny_graph(4, "binary", 2, seed=3).SerializeToString())
    _result(evaluate(package_and_register(data, rows, tracking_uri)))


def test_a_notebook_cannot_register_under_anothers_name(
    rows: Rows, model: Any, tracking_uri: str, client: MlflowClient
) -> None:
    client.create_registered_model(NAME, tags={Tag.MODEL: "clinic/other"})
    with pytest.raises(TrainerError, match="belongs to the HeartModel clinic/other"):
        package_and_register(model, rows, tracking_uri)


def test_a_person_can_ask_before_the_operator_does(
    rows: Rows, model: Any, tracking_uri: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package_and_register(model, rows, tracking_uri)
    assert main(["evaluate", str(manifest), "--version", "1", "--tracking-uri", tracking_uri]) == 0
    printed = capsys.readouterr().out
    assert "not out of fold" in printed
    assert "in-sample" in printed
    assert main(["evaluate", str(manifest), "--tracking-uri", tracking_uri]) == EXIT_PERMANENT
    assert "--version" in capsys.readouterr().err
