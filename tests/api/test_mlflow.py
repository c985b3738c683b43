"""The operator as a process of its own, with a real MLflow: what its client and server agree on, and how it ends."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import urllib3

from heart_api.evaluation import EVALUATION_PATH
from heart_api.handover import Tag, TrainingOutcome, TrainingRequest, TrainingResult
from heart_api.historyfile import experiment_name
from heart_api.kube.objects import parse_model
from heart_api.names import short_hash
from heart_api.outbox import OutboxEntry
from heart_cli.errors import Failure
from heart_cli.wholehistory import Registry, entries_of
from heart_operator.mlflow.backend import MlflowBackend
from heart_operator.mlflow.errors import RegistryError
from heart_operator.plan.actions import CloseRuns, SetAlias, TagVersion
from tests.support.apiserver.client import poll
from tests.support.apiserver.heart_objects import heart_model
from tests.support.apiserver.world import OPERATOR_NAMESPACE, PROFILES, World
from tests.support.registry.fake import evaluation_of
from tests.support.registry.mlflow import running_mlflow

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as uri:
        yield uri


def train(backend: MlflowBackend, request: TrainingRequest, auc: float = 0.91) -> TrainingOutcome:
    """What the trainer leaves in MLflow."""
    client, name = backend.client, request.registry_name
    experiment = client.get_experiment_by_name(name)
    where = experiment.experiment_id if experiment else client.create_experiment(name)
    claim = {Tag.MODEL: f"{request.namespace}/{request.name}"}
    run = client.create_run(where, tags={Tag.TRIGGER: request.trigger, **claim}).info.run_id
    content = evaluation_of(auc, request.serving).model_dump_json(by_alias=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "evaluation.json"
        file.write_text(content)
        client.log_artifact(run, str(file), "evaluation")
    with suppress(Exception):
        client.create_registered_model(name, tags=claim)
    digests = {"artifact": "a" * 64, "evaluation": short_hash(content, length=64)}
    tags = {Tag.TRIGGER: request.trigger, Tag.ARTIFACT_SHA256: digests["artifact"], **claim}
    version = client.create_model_version(name, f"runs:/{run}/model", run, tags=tags).version
    client.set_terminated(run)
    result = {"version": str(version), "run_id": run}
    return TrainingOutcome(
        result=TrainingResult(**result, artifact_sha256=digests["artifact"], evaluation_sha256=digests["evaluation"])
    )


def request_of(name: str) -> TrainingRequest:
    return TrainingRequest.model_validate(
        {
            "namespace": "clinic",
            "name": name,
            "registryName": f"clinic.{name}",
            "trigger": short_hash(name),
            "dataset": {"uri": "https://example.org/a.csv"},
            "target": {"name": "num"},
            "features": [{"name": "age", "type": "number"}],
            "training": {},
        }
    )


def test_what_the_trainer_registers_is_seen(mlflow_uri: str) -> None:
    backend = MlflowBackend(mlflow_uri)
    first = train(backend, request_of("seen")).result
    assert first
    backend.client.create_registered_model("somebody-elses")
    snapshot = backend.snapshot()
    assert snapshot.models["clinic.seen"].claimed_by == "clinic/seen"
    assert "somebody-elses" not in snapshot.models
    version = snapshot.versions["clinic.seen"][first.version]
    assert (version.run_id, version.trigger, version.rejected) == (first.run_id, short_hash("seen"), None)
    content = backend.read_artifact(first.run_id, EVALUATION_PATH, 10_000)
    assert short_hash(content.decode(), length=64) == first.evaluation_sha256


def test_an_artifact_that_is_too_large_or_absent_is_rejected(mlflow_uri: str) -> None:
    backend = MlflowBackend(mlflow_uri)
    result = train(backend, request_of("large")).result
    assert result
    with pytest.raises(RegistryError, match="larger than 10 bytes"):
        backend.read_artifact(result.run_id, EVALUATION_PATH, 10)
    with pytest.raises(RegistryError, match="has no evaluation/other"):
        backend.read_artifact(result.run_id, "evaluation/other.json", 10)


def test_a_run_cannot_send_the_operator_to_another_place(mlflow_uri: str) -> None:
    backend = MlflowBackend(mlflow_uri)
    where = backend.client.create_experiment("elsewhere", artifact_location="s3://bucket/x")
    run = backend.client.create_run(where).info.run_id
    with pytest.raises(RegistryError, match="does not serve"):
        backend.read_artifact(run, EVALUATION_PATH, 10_000)


def test_the_history_grows_in_one_run_by_what_is_new(mlflow_uri: str) -> None:
    """As the operator writes it, and as `kubectl heart history --all` reads it."""
    backend, name = MlflowBackend(mlflow_uri), "clinic.told"
    entries = [
        OutboxEntry(id=f"id-{month}", type="gated", time=f"2026-{month}-01T00:00:00Z", data={"message": "größer"})
        for month in ("10", "11", "12")
    ]
    backend.record(name, entries[:2])
    for _ in range(2):
        backend.record(name, entries[1:])
    (run,) = backend.client.search_runs([backend.client.get_experiment_by_name(experiment_name(name)).experiment_id])
    assert run.info.status == "FINISHED"
    registry = Registry(mlflow_uri, {}, urllib3.PoolManager(retries=False))
    model = parse_model(heart_model(spec={"registryName": name}))
    assert [entry.id for entry in entries_of(registry, model)] == ["id-10", "id-11", "id-12"]
    assert next(entries_of(registry, model)).data == {"message": "größer"}
    nobody = parse_model(heart_model(spec={"registryName": "clinic.nobody"}))
    with pytest.raises(Failure, match="keeps no history"):
        list(entries_of(registry, nobody))


def test_aliases_tags_and_runs(mlflow_uri: str) -> None:
    backend, name = MlflowBackend(mlflow_uri), "clinic.acted"
    request = request_of("acted")
    result = train(backend, request).result
    assert result
    for _ in range(2):
        backend.act(name, SetAlias("serving", result.version))
        backend.act(name, TagVersion(result.version, Tag.REJECTED, "GateFailed"))
    snapshot = backend.snapshot()
    assert snapshot.models[name].aliases == {"serving": result.version}
    assert snapshot.versions[name][result.version].rejected == "GateFailed"
    for _ in range(2):
        backend.act(name, SetAlias("serving", None))
    assert backend.snapshot().models[name].aliases == {}
    where = backend.client.get_experiment_by_name(name).experiment_id
    tags = {Tag.TRIGGER: request.trigger}
    left, other = backend.client.create_run(where, tags=tags), backend.client.create_run(where)
    backend.client.create_run(where, tags={Tag.TRIGGER: "' OR status != '"})
    assert backend.snapshot().open_runs == {name: frozenset({request.trigger})}
    for _ in range(2):
        backend.act(name, CloseRuns(request.trigger, "KILLED"))
    assert backend.client.get_run(left.info.run_id).info.status == "KILLED"
    assert backend.client.get_run(other.info.run_id).info.status == "RUNNING"
    assert name not in backend.snapshot().open_runs
    backend.act("clinic.no-such-experiment", CloseRuns("t", "KILLED"))


def test_the_process_serves_a_model_and_ends_on_sigterm(
    world: World, api_server: Path, mlflow_uri: str, tmp_path: Path
) -> None:
    backend = MlflowBackend(mlflow_uri)
    world.kubelet.train = lambda request: train(backend, request)
    profile = PROFILES["default"] | {"trackingUri": mlflow_uri, "insecure": True}
    world.profiles.write_text(f"default: {profile}")
    settings = {
        "HEARTOPS_PROFILES": str(world.profiles),
        "HEARTOPS_LEASE_NAMESPACE": OPERATOR_NAMESPACE,
        "HEARTOPS_POD_NAME": "process",
        "HEARTOPS_HTTP_HOST": "127.0.0.1",
        "HEARTOPS_HTTP_PORT": "0",
        "HEARTOPS_METRICS_PORT": "0",
    }
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            (sys.executable, "-m", "heart_operator"),
            env={**os.environ, **settings, "KUBECONFIG": str(api_server)},
            stderr=file,
        )
    try:
        world.create()
        world.wait_serving("1", seconds=120)
        name = f"{world.namespace}.heart"
        poll("the alias", lambda: backend.snapshot().models[name].aliases == {"serving": "1"})
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    with world.start("successor") as successor:
        poll("the Lease was released", lambda: successor.metric("heartops_is_leader") == 1, 5)
