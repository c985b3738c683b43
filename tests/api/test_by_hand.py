"""Versions registered by hand, between a notebook, a real MLflow server, the evaluation Job and the operator."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from heart_api.handover import Env, EvaluationRequest, Tag, TrainingOutcome
from heart_operator.mlflow.backend import MlflowBackend
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.plan.actions import CloseRuns
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.versions import Version
from heart_trainer.__main__ import main
from heart_trainer.by_hand import Rows, package_and_register, read_rows
from tests.support.registry.mlflow import running_mlflow

pytestmark = pytest.mark.api

SPEC = {
    "dataset": {"uri": "builtin://heart-synthetic?rows=200&seed=3"},
    "target": {"name": "num", "positiveAbove": 0},
    "features": [
        {"name": "age", "type": "number"},
        {"name": "sex", "type": "category", "values": [0, 1], "sensitive": True},
        {"name": "oldpeak", "type": "number"},
    ],
    "training": {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}, "crossValidation": {"folds": 2}},
}


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def backend(uri: str) -> MlflowBackend:
    return MlflowBackend(uri)


@pytest.fixture
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    """Of a HeartModel of this test's own."""
    name = re.sub(r"[^a-z]+", "-", request.node.name.lower())[:60]
    document = {"apiVersion": "heartops.dev/v1alpha1", "kind": "HeartModel", "spec": SPEC}
    path = tmp_path / "heartmodel.yaml"
    path.write_text(yaml.safe_dump(document | {"metadata": {"namespace": "clinic", "name": name}}))
    return read_rows(path)


@pytest.fixture
def evaluate(uri: str, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], TrainingOutcome]:
    """What the Job does, and tells."""
    log = tmp_path / "termination"
    for name, value in {Env.TRACKING_URI: uri, Env.ROW_KEY: "a key", Env.TERMINATION_LOG: str(log)}.items():
        monkeypatch.setenv(name, value)

    def run(version: str) -> TrainingOutcome:
        asked = {**rows.request.dump(), "trigger": f"evaluate-{version}-0a1b2c3d", "version": version}
        monkeypatch.setenv(
            Env.EVALUATION_REQUEST, EvaluationRequest.model_validate(asked).model_dump_json(by_alias=True)
        )
        main(["evaluate"])
        return TrainingOutcome.model_validate_json(log.read_bytes())

    return run


def register(rows: Rows, uri: str) -> str:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(rows.x, rows.y)
    return package_and_register(model, rows, uri)


def empty_version(backend: MlflowBackend, name: str) -> str:
    """A version of a run that logged nothing."""
    run = backend.client.create_run("0").info.run_id
    return str(backend.client.create_model_version(name, f"runs:/{run}/model", run).version)


def test_from_a_notebook_to_figures_that_the_operator_believes(
    uri: str, backend: MlflowBackend, rows: Rows, evaluate: Callable[[str], TrainingOutcome]
) -> None:
    name = rows.request.registry_name
    version = register(rows, uri)
    seen = backend.snapshot().versions[name][version]
    assert (seen.trigger, seen.artifact_sha256, seen.rejected) == ("", "", None)
    assert abs(seen.created / 1000 - time.time()) < 600
    result = evaluate(version).result
    assert result
    judged = backend.snapshot().versions[name][version]
    assert (judged.run_id, judged.artifact_sha256) == (result.run_id, result.artifact_sha256)
    assert (judged.trigger, judged.created) == ("", seen.created), "it stays a version registered by hand"

    async def view() -> object:
        reader = RegistryReader(lambda _: backend, clock=time.monotonic, timeout=60)
        chosen = Version(version, "", run_id=result.run_id, evaluation_sha256=result.evaluation_sha256)
        try:
            view, _ = await reader.view(uri, name, lambda _: Selection(chosen))
            return view.evaluation
        finally:
            reader.close()

    evaluation = asyncio.run(view())
    assert evaluation
    assert evaluation.rows == 200  # type: ignore[attr-defined]


def test_versions_are_seen_whoever_registered_them(uri: str, backend: MlflowBackend, rows: Rows) -> None:
    client, name = backend.client, rows.request.registry_name
    version = register(rows, uri)
    client.set_model_version_tag(name, version, Tag.TRIGGER, "0a1b2c3d")
    copy = str(client.copy_model_version(f"models:/{name}/{version}", name).version)
    elsewhere = str(client.copy_model_version(f"models:/{name}/{version}", "clinic.unclaimed").version)
    client.copy_model_version(f"models:/{name}/{version}", "somebody-elses")
    client.copy_model_version(f"models:/{name}/{version}", "Not a.registryName")
    snapshot = backend.snapshot()
    triggers = {found.version: found.trigger for found in snapshot.versions[name].values()}
    assert triggers == {version: "0a1b2c3d", copy: ""}, "a copy has the tags of the original"
    assert snapshot.models["clinic.unclaimed"].claimed_by is None
    assert set(snapshot.versions["clinic.unclaimed"]) == {elsewhere}
    assert not {"somebody-elses", "Not a.registryName"} & (snapshot.models.keys() | snapshot.versions.keys())


def test_a_claimed_model_of_any_name_is_seen(backend: MlflowBackend) -> None:
    backend.client.create_registered_model("allowed", tags={Tag.MODEL: "clinic/heart"})
    empty_version(backend, "allowed")
    assert set(backend.snapshot().versions["allowed"]) == {"1"}


def test_a_model_of_a_name_that_a_heart_model_uses_is_seen_before_it_is_claimed(backend: MlflowBackend) -> None:
    """As people name them; an administrator allows such a name in the runtime profile."""
    for name in ("CaliforniaHousingBestModel", "OtherBestModel"):
        backend.client.create_registered_model(name)
        empty_version(backend, name)
    seen = backend.snapshot({"CaliforniaHousingBestModel", "clinic.heart", "x' OR name LIKE '%"}).versions
    assert set(seen["CaliforniaHousingBestModel"]) == {"1"}
    assert "OtherBestModel" not in seen
    assert "CaliforniaHousingBestModel" not in backend.snapshot().versions


def test_many_models_are_read_in_few_searches(backend: MlflowBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heart_operator.mlflow.backend.NAMES", 7)
    names = {f"many.m{number}" for number in range(20)}
    for name in names:
        backend.client.create_registered_model(name)
        empty_version(backend, name)
    searches = []
    search = backend.client.search_model_versions
    monkeypatch.setattr(backend.client, "search_model_versions", lambda **how: searches.append(how) or search(**how))
    snapshot = backend.snapshot()
    assert {name for name in names if set(snapshot.versions[name]) == {"1"}} == names
    assert len(searches) == -(-len(snapshot.models) // 7)


def test_a_copy_from_another_registered_model_can_be_evaluated(
    uri: str, backend: MlflowBackend, rows: Rows, evaluate: Callable[[str], TrainingOutcome]
) -> None:
    """A model that was made under `dev.…` goes to the clinic as a copy."""
    request = rows.request.model_copy(update={"registry_name": "dev.heart", "name": "dev"})
    made = register(Rows(request, rows.table), uri)
    version = backend.client.copy_model_version(f"models:/dev.heart/{made}", rows.request.registry_name).version
    outcome = evaluate(str(version))
    assert outcome.result, outcome.failure


PLACES = [
    ("file:///etc", "file: address"),
    ("http://127.0.0.1:9/model", "http: address"),
    ("s3://bucket/model", "s3: address"),
    ("mlflow-artifacts:/nothing/here", "has no model.onnx"),
]


@pytest.mark.parametrize(("source", "words"), PLACES)
def test_a_version_cannot_send_the_job_to_another_place(
    backend: MlflowBackend,
    rows: Rows,
    evaluate: Callable[[str], TrainingOutcome],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    words: str,
) -> None:
    name = rows.request.registry_name
    backend.client.create_registered_model(name)
    version = empty_version(backend, name)
    # The server refuses to register some of these; whoever can write to its database does not ask it.
    where = "heart_trainer.mlflow.client.MlflowClient.get_model_version_download_uri"
    monkeypatch.setattr(where, lambda *_: source)
    failure = evaluate(version).failure
    assert failure
    assert failure.reason == "NotServable"
    assert words in failure.message


def test_the_run_of_an_evaluation_that_was_killed_is_found_and_closed(backend: MlflowBackend) -> None:
    where = backend.client.create_experiment("clinic.killed")
    for trigger in ("evaluate-8-0a1b2c3d", "evaluate-8-0a1b2c3d-4e5f", "evaluate-8-' OR '", "cli-20260101T000000"):
        backend.client.create_run(where, tags={Tag.TRIGGER: trigger})
    found = {"evaluate-8-0a1b2c3d", "evaluate-8-0a1b2c3d-4e5f"}
    assert backend.snapshot().open_runs["clinic.killed"] == found
    for trigger in found:
        backend.act("clinic.killed", CloseRuns(trigger, "KILLED"))
    assert "clinic.killed" not in backend.snapshot().open_runs


def test_mlflow_away_is_no_verdict_on_the_version(
    rows: Rows, evaluate: Callable[[str], TrainingOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(Env.TRACKING_URI, "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    failure = evaluate("1").failure
    assert failure
    assert failure.reason == "RegistryUnavailable"
    assert os.environ[Env.TRACKING_URI] in failure.message
