"""From the manifests of Jobs to what decisions see of them: who trains and who measures."""

from dataclasses import replace
from typing import Any

from heart_api.handover import TrainingOutcome, TrainingResult
from heart_api.kube.kinds import HEART_MODEL, JOB, POD, Kind
from heart_api.kube.values import ModelKey
from heart_operator.manifests.evaluation_job import build_evaluation_job
from heart_operator.manifests.training_job import build_training_job
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.observe.observation import SeenModel
from heart_operator.observe.observer import Observer
from heart_operator.plan.actions import CloseRuns
from heart_operator.plan.objects.registry import runs_to_close
from heart_operator.plan.observed import Observed, Registry
from tests.support.plan.world import PROFILE, heart_model
from tests.support.registry.fake import FakeRegistry

CREATED = "2026-01-02T03:04:05Z"
TRAINING, EVALUATION = "0a1b2c3d", "evaluate-8-5e6f7a8b"
RESULT = TrainingResult(version="8", run_id="r", artifact_sha256="sha256:" + "a" * 64, evaluation_sha256="b" * 64)
MODEL = heart_model()


def stored(job: dict[str, Any], end: str | None = None) -> dict[str, Any]:
    """As the API server returns it."""
    conditions = [{"type": end, "status": "True", "lastTransitionTime": CREATED}] if end else []
    meta = job["metadata"] | {"uid": job["metadata"]["name"], "creationTimestamp": CREATED}
    return job | {"metadata": meta, "status": {"conditions": conditions}}


class Cluster:
    """Answers to reads."""

    def __init__(self, jobs: list[dict[str, Any]], message: str = "") -> None:
        self.jobs, self.message = jobs, message

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        meta = {"namespace": namespace, "name": name, "uid": MODEL.uid, "generation": 1, "resourceVersion": "1"}
        return {
            "apiVersion": HEART_MODEL.api_version,
            "kind": HEART_MODEL.kind,
            "metadata": meta,
            "spec": MODEL.spec.dump(),
        }

    async def find(self, kind: Kind, namespace: str, selector: str, **_: Any) -> list[dict[str, Any]]:
        if kind == JOB:
            return self.jobs
        state = {"terminated": {"exitCode": 0, "message": self.message}}
        pod = {"metadata": {"creationTimestamp": CREATED}, "status": {"containerStatuses": [{"state": state}]}}
        return [pod] if kind == POD else []

    async def kinds_of(self, api_version: str) -> frozenset[str]:
        return frozenset()


async def observe(*jobs: dict[str, Any], message: str = "") -> Observed:
    cluster: Any = Cluster(list(jobs), message)
    reader = RegistryReader(lambda uri: FakeRegistry(), clock=lambda: 0.0)
    observer = Observer(cluster, reader, lambda: {"default": PROFILE}, lambda: 0.0)
    seen = await observer.observe(ModelKey(MODEL.namespace, MODEL.name))
    assert isinstance(seen.model, SeenModel)
    return seen.model.observed


def training(end: str | None = None) -> dict[str, Any]:
    return stored(build_training_job(MODEL, PROFILE, TRAINING, None), end)


def evaluation(end: str | None = None) -> dict[str, Any]:
    return stored(build_evaluation_job(MODEL, PROFILE, EVALUATION, "8", None), end)


async def test_who_measures_is_not_taken_for_who_trains() -> None:
    observed = await observe(training(), evaluation())
    assert [job.trigger for job in observed.jobs] == [TRAINING]
    assert [job.trigger for job in observed.evaluations] == [EVALUATION]


async def test_the_message_of_an_evaluation_is_read_like_a_trainings() -> None:
    outcome = TrainingOutcome(result=RESULT).model_dump_json(by_alias=True, exclude_none=True)
    (job,) = (await observe(evaluation("Complete"), message=outcome)).evaluations
    assert (job.phase, job.result) == ("Succeeded", RESULT)


async def test_the_run_of_a_measurement_is_closed_once_its_job_is_over() -> None:
    left = Registry(open_runs=frozenset({EVALUATION}))
    for jobs, status in (([], "KILLED"), ([evaluation("Failed")], "FAILED")):
        observed = replace(await observe(*jobs), registry=left)
        assert list(runs_to_close(observed)) == [CloseRuns(EVALUATION, status)]
    assert list(runs_to_close(replace(await observe(evaluation()), registry=left))) == []
