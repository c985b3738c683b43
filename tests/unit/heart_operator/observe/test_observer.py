"""From the manifests of Jobs to what decisions see of them: who trains and who measures."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.handover import TrainingOutcome, TrainingResult
from heart_api.kube.kinds import EVENT, HEART_MODEL, JOB, POD, Kind
from heart_api.kube.values import ModelKey
from heart_operator.kube.errors import NotFound
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
        self.pods = True
        self.changes: dict[str, Any] = {}
        """Of the pods, against their Job's template."""
        self.events: list[dict[str, Any]] = []
        self.reads: list[str] = []
        self.gone: set[str] = set()
        """Names of deleted HeartModels."""

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        if name in self.gone:
            raise NotFound(name)
        meta = {"namespace": namespace, "name": name, "uid": MODEL.uid, "generation": 1, "resourceVersion": "1"}
        meta["creationTimestamp"] = "2026-02-01T00:00:00Z"
        return {
            "apiVersion": HEART_MODEL.api_version,
            "kind": HEART_MODEL.kind,
            "metadata": meta,
            "spec": MODEL.spec.dump(),
        }

    async def find(self, kind: Kind, namespace: str, selector: str, **_: Any) -> list[dict[str, Any]]:
        if kind == JOB:
            return self.jobs
        self.reads.append(kind.kind)
        if kind == POD and self.pods:
            return [self.pod_of(job) for job in self.jobs if job["metadata"]["name"] in selector]
        return self.events if kind == EVENT else []

    def pod_of(self, job: dict[str, Any]) -> dict[str, Any]:
        """As the Job's controller makes it, at its end."""
        owner = {"kind": "Job", "uid": job["metadata"]["uid"], "controller": True}
        state = {"terminated": {"exitCode": 0, "message": self.message}}
        return {
            "metadata": {"creationTimestamp": CREATED, "uid": "pod", "ownerReferences": [owner]},
            "spec": job["spec"]["template"]["spec"] | self.changes,
            "status": {"containerStatuses": [{"name": "trainer", "state": state}]},
        }

    async def kinds_of(self, api_version: str) -> frozenset[str]:
        return frozenset()


async def observe(*jobs: dict[str, Any], message: str = "") -> Observed:
    return await observe_by(Cluster(list(jobs), message))


async def observe_by(known: Cluster) -> Observed:
    cluster: Any = known
    reader = RegistryReader(lambda uri: FakeRegistry(), clock=lambda: 0.0)
    observer = Observer(cluster, reader, lambda: {"default": PROFILE}, lambda: 0.0)
    seen = await observer.observe(ModelKey(MODEL.namespace, MODEL.name))
    assert isinstance(seen.model, SeenModel)
    return seen.model.observed


def training(end: str | None = None) -> dict[str, Any]:
    return stored(build_training_job(MODEL, PROFILE, TRAINING, None), end)


def evaluation(end: str | None = None) -> dict[str, Any]:
    return stored(build_evaluation_job(MODEL, PROFILE, EVALUATION, "8", None), end)


async def test_a_registry_is_left_with_its_last_model() -> None:
    """Its workspace goes with the namespace, and would be reported as unavailable."""
    known: Any = Cluster([])
    reader = RegistryReader(lambda uri: FakeRegistry(), clock=lambda: 0.0)
    observer = Observer(known, reader, lambda: {"default": PROFILE}, lambda: 0.0)
    keys = [ModelKey(MODEL.namespace, name) for name in ("heart", "lungs")]
    for key in keys:
        await observer.observe(key)
    found = reader.availability()
    assert list(found.values()) == [True]
    known.gone = {keys[0].name}
    await observer.observe(keys[0])
    assert reader.availability() == found, "another model uses it"
    known.gone.add(keys[1].name)
    await observer.observe(keys[1])
    assert reader.availability() == {}


async def test_a_registry_is_left_when_the_profile_names_another() -> None:
    known: Any = Cluster([])
    profiles = {"default": PROFILE}
    reader = RegistryReader(lambda uri: FakeRegistry(), clock=lambda: 0.0)
    observer = Observer(known, reader, lambda: profiles, lambda: 0.0)
    key = ModelKey(MODEL.namespace, MODEL.name)
    await observer.observe(key)
    profiles["default"] = PROFILE.model_copy(update={"tracking_uri": "https://elsewhere.example.org"})
    await observer.observe(key)
    assert ["elsewhere" in server for server in reader.availability()] == [True]


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


async def test_a_job_without_pods_is_explained_by_its_own_events() -> None:
    cluster = Cluster([training()])
    cluster.pods = False
    quota = 'Error creating: pods "a-b-x7k2p" is forbidden: exceeded quota: small'
    cluster.events = [{"reason": "FailedCreate", "message": quota, "metadata": {}, "lastTimestamp": CREATED}]
    (job,) = (await observe_by(cluster)).jobs
    assert job.blocked
    assert (job.phase, job.waiting, job.blocked.cause) == ("Running", True, "Quota")


@pytest.mark.parametrize("end", [None, "Complete", "Failed"])
async def test_no_event_is_read_of_a_job_that_runs_or_has_ended(end: str | None) -> None:
    job = training(end)
    job["status"] |= {"active": 1, "ready": 1} if end is None else {}
    cluster = Cluster([job])
    (found,) = (await observe_by(cluster)).jobs
    assert (found.waiting, found.blocked) == (False, None)
    assert "Event" not in cluster.reads
    assert cluster.reads.count("Pod") == (0 if end is None else 1)


async def test_a_job_that_lost_its_model_is_seen_as_an_orphan() -> None:
    job = training("Complete")
    other = training("Complete")
    other["metadata"] |= {"name": "elsewhere"}
    for item in (job, other):
        del item["metadata"]["ownerReferences"]
    observed = await observe(job, other)
    assert {key.name for key in observed.orphans} == {job["metadata"]["name"]}
    assert [found.trigger for found in observed.jobs] == [TRAINING]


async def test_a_result_of_a_pod_that_the_job_did_not_make_is_not_believed() -> None:
    outcome = TrainingOutcome(result=RESULT).model_dump_json(by_alias=True, exclude_none=True)
    cluster = Cluster([training("Complete")], outcome)
    cluster.changes = {"serviceAccountName": "evil"}
    (job,) = (await observe_by(cluster)).jobs
    assert job.result is None
    assert job.failure
    assert "is what the Job's template describes" in job.failure.message


async def test_a_job_that_only_claims_to_be_ours_is_to_be_removed() -> None:
    forged = training("Complete")
    forged["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1"
    observed = await observe(forged)
    assert observed.jobs == ()
    assert [key.name for key in observed.foreign_jobs] == [forged["metadata"]["name"]]


async def test_a_forged_orphan_is_neither_adopted_nor_removed() -> None:
    """It is not ours, and somebody may need it."""
    forged = training("Complete")
    forged["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1"
    del forged["metadata"]["ownerReferences"]
    observed = await observe(forged)
    assert (observed.jobs, observed.orphans, observed.foreign_jobs) == ((), frozenset(), ())


async def test_a_requested_look_at_the_registry_reads_it_again_once() -> None:
    """A restart reads it anyway; the first reconcile of a model is no request."""
    cluster, registry = Cluster([]), FakeRegistry()
    reads = 0
    plain = registry.snapshot

    def counted(named: Any) -> Any:
        nonlocal reads
        reads += 1
        return plain(named)

    registry.snapshot = counted  # type: ignore[method-assign]
    reader = RegistryReader(lambda uri: registry, clock=lambda: 0.0)
    observer = Observer(cluster, reader, lambda: {"default": PROFILE}, lambda: 0.0)  # type: ignore[arg-type]
    living = cluster.get

    async def look(request: str) -> int:
        async def get(*where: Any) -> dict[str, Any]:
            return await living(*where) | {"status": {"requests": {"registry": {"id": request}}} if request else {}}

        cluster.get = get  # type: ignore[method-assign]
        await observer.observe(ModelKey(MODEL.namespace, MODEL.name))
        return reads

    assert [await look(request) for request in ("", "", "a", "a", "b", "b")] == [1, 1, 2, 2, 3, 3]
    reader.close()
