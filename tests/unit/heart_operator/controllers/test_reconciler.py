"""One reconcile with everything around it in memory: what is written, in which order, and what failure does."""

import asyncio
import copy
import traceback
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from heart_api.heartmodel import ConditionStatus, HeartModelStatus, ServingStatus
from heart_api.kube.kinds import EVENT, HEART_MODEL, JOB, RETRAIN_SCHEDULE, SERVICE, SERVICE_ACCOUNT, Kind
from heart_api.kube.values import ModelKey
from heart_api.names import Annotation, Component, Label
from heart_operator.controllers.executor import Executor
from heart_operator.controllers.reconciler import DeadlineExceeded, Reconciler
from heart_operator.controllers.status import StatusWriter
from heart_operator.controllers.workqueue import WorkQueue
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiUnavailable, Conflict, NotFound, RequestRejected
from heart_operator.mlflow.calls import RegistryUnavailable
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.observe.observer import Observer
from heart_operator.observe.usage import NamespaceUsage
from heart_operator.plan.actions import Event, Plan, SetAlias
from heart_operator.plan.observed import Observed
from heart_operator.plan.selection.selection import Selection
from heart_operator.profiles import parse_profiles
from heart_operator.telemetry.operator import Metrics
from tests.support.registry.fake import FakeRegistry

KEY = ModelKey("clinic", "heart")
NOW = "2026-01-02T03:04:05Z"
PROFILES = parse_profiles("default: {images: {trainer: t, serving: s}, trackingUri: https://mlflow}", "file")
READY = ConditionStatus(type="Ready", status="True", reason="Serving", last_transition_time=NOW)
FACTS = HeartModelStatus(observed_generation=1, serving=ServingStatus(version="1", digest="d", since=NOW))


class FakeCluster:
    """The API server's objects by kind and name; `fail` makes writes of a kind, or of a name, raise."""

    def __init__(self, spec: dict[str, Any]) -> None:
        meta = {"namespace": "clinic", "name": "heart", "uid": "u1", "generation": 1, "resourceVersion": "1"}
        model = {"apiVersion": HEART_MODEL.api_version, "kind": HEART_MODEL.kind, "metadata": meta, "spec": spec}
        self.objects: dict[tuple[str, str], dict[str, Any]] = {("HeartModel", "heart"): model}
        self.fail: dict[str, Exception] = {}
        self.writes: list[str] = []
        self.reads: Counter[str] = Counter()
        self._version = 1

    @property
    def model(self) -> dict[str, Any]:
        return self.objects["HeartModel", "heart"]

    def add_schedule(self, name: str, **spec: Any) -> None:
        meta = {"namespace": "clinic", "name": name, "uid": name, "generation": 1, "resourceVersion": "1"}
        meta |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
        fields = {"modelName": "heart", "schedule": "* * * * *"} | spec
        about = {"apiVersion": RETRAIN_SCHEDULE.api_version, "kind": RETRAIN_SCHEDULE.kind}
        self.objects["RetrainSchedule", name] = about | {"metadata": meta, "spec": fields}

    def ready(self, schedule: str) -> dict[str, Any]:
        conditions = self.objects["RetrainSchedule", schedule]["status"]["conditions"]
        return next(entry for entry in conditions if entry["type"] == "Ready")

    def condition(self, type_: str) -> dict[str, Any]:
        return next(entry for entry in self.model["status"]["conditions"] if entry["type"] == type_)

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        self.reads[f"get {kind.kind}"] += 1
        if (kind.kind, name) not in self.objects:
            raise NotFound(name)
        return copy.deepcopy(self.objects[kind.kind, name])

    async def find(self, kind: Kind, namespace: str, selector: str, **_: Any) -> list[dict[str, Any]]:
        self.reads[f"list {kind.kind}"] += 1
        return [copy.deepcopy(found) for (name, _), found in self.objects.items() if name == kind.kind]

    async def kinds_of(self, api_version: str) -> frozenset[str]:
        return frozenset()

    def check_leading(self, what: str) -> None:
        return

    async def create(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        return self._write("create", kind, manifest)

    async def apply(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        return self._write("apply", kind, manifest)

    async def replace(self, kind: Kind, manifest: dict[str, Any], subresource: str) -> dict[str, Any]:
        stored = self.objects[kind.kind, manifest["metadata"]["name"]]
        if manifest["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"]:
            raise Conflict("stale")
        return self._write(subresource, kind, manifest)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        assert self.objects[kind.kind, name]["metadata"]["uid"] == uid
        del self.objects[kind.kind, name]
        self.writes.append(f"delete {kind.kind}")

    def _write(self, verb: str, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        name = manifest["metadata"]["name"]
        if error := self.fail.get(kind.kind) or self.fail.get(name):
            raise error
        if verb == "create" and (kind.kind, name) in self.objects:
            raise Conflict(name)
        self._version += 1
        stored = copy.deepcopy(manifest)
        stored["metadata"] |= {"resourceVersion": str(self._version)}
        stored["metadata"].setdefault("uid", f"uid-{self._version}")
        self.objects[kind.kind, name] = stored
        self.writes.append(f"{verb} {kind.kind}")
        return copy.deepcopy(stored)


def child(kind: Kind, name: str = "heart") -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"namespace": "clinic", "name": name}}


class Surroundings:
    """A reconciler around a plan of the test's choice."""

    def __init__(self, plan: Plan | Exception, **spec: Any) -> None:
        fields = {
            "dataset": {"uri": "https://example.org/a.csv"},
            "target": {"name": "num"},
            "features": [{"name": "age", "type": "number"}],
        }
        self.plan = plan
        self.seen: list[Observed] = []
        self.cluster = FakeCluster(fields | spec)
        self.backend = FakeRegistry()
        self.metrics = Metrics()
        self.queue = WorkQueue[ModelKey](clock=lambda: 0.0)
        self.usage = NamespaceUsage()
        registry = RegistryReader(lambda uri: self.backend, clock=lambda: 0.0, max_age=0)
        cluster: Any = self.cluster
        self.reconcile = Reconciler(
            Observer(cluster, registry, lambda: PROFILES, lambda: 0.0),
            self.decide,
            Executor(cluster, registry, StatusWriter(cluster, self.metrics.stored)),
            self.queue,
            self.metrics,
            self.usage,
            deadline=5,
        )

    def decide(self, observed: Observed, selection: Selection, now: datetime) -> Plan:
        self.seen.append(observed)
        if isinstance(self.plan, Exception):
            raise self.plan
        conditions = observed.model.status.conditions
        return replace(self.plan, facts=self.plan.facts.model_copy(update={"conditions": conditions}))

    def errors(self) -> float:
        return self.metrics.registry.get_sample_value("heartops_reconcile_errors_total") or 0


async def test_facts_are_recorded_before_and_conditions_after_the_actions() -> None:
    around = Surroundings(Plan(FACTS, apply=(child(SERVICE_ACCOUNT),), create=(child(SERVICE),), conditions=(READY,)))
    await around.reconcile(KEY)
    assert around.cluster.writes == ["status HeartModel", "apply ServiceAccount", "create Service", "status HeartModel"]
    assert around.cluster.model["status"]["serving"]["version"] == "1"
    assert around.cluster.condition("Ready")["status"] == "True"


async def test_without_actions_the_status_is_written_once_and_then_not_again() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,)))
    for _ in range(3):
        await around.reconcile(KEY)
    assert around.cluster.writes == ["status HeartModel"]


async def test_facts_survive_an_action_that_fails() -> None:
    around = Surroundings(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    around.cluster.fail["Service"] = ApiUnavailable("503")
    with pytest.raises(ApiUnavailable):
        await around.reconcile(KEY)
    assert around.cluster.model["status"]["serving"]["version"] == "1"
    assert around.cluster.model["status"]["conditions"] == [], "nobody may be told of what was not done"
    assert around.errors() == 1


async def test_what_the_api_server_rejects_is_reported_once() -> None:
    around = Surroundings(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    around.cluster.fail["Service"] = RequestRejected("Service heart: spec.ports: Required value")
    for _ in range(3):
        with pytest.raises(RequestRejected):
            await around.reconcile(KEY)
    ready = around.cluster.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ApplyFailed")
    assert "spec.ports" in ready["message"]
    assert around.cluster.writes.count("create Event") == 1


async def test_a_stored_spec_that_cannot_be_read_is_reported_with_its_field() -> None:
    around = Surroundings(AssertionError("there is nothing to plan"), engine="Dask")
    for _ in range(2):
        await around.reconcile(KEY)
    ready = around.cluster.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert "spec.engine" in ready["message"]
    assert around.cluster.writes == ["status HeartModel", "create Event"]
    assert around.errors() == 0


async def test_somebody_elses_object_of_our_name_is_left_alone() -> None:
    around = Surroundings(Plan(FACTS, apply=(child(SERVICE),)))
    around.cluster.objects["Service", "heart"] = child(SERVICE) | {"spec": {"theirs": True}}
    with pytest.raises(Exception, match="does not belong to this HeartModel"):
        await around.reconcile(KEY)
    assert around.cluster.objects["Service", "heart"]["spec"] == {"theirs": True}
    assert around.cluster.condition("Ready")["reason"] == "ApplyFailed"


async def test_a_registry_that_fails_does_not_hold_up_the_report() -> None:
    around = Surroundings(Plan(FACTS, registry=(SetAlias("serving", "1"),), conditions=(READY,)))
    around.backend.down = True
    with pytest.raises(RegistryUnavailable):
        await around.reconcile(KEY)
    assert around.cluster.condition("Ready")["status"] == "True"


async def test_an_event_is_stored_once_per_state() -> None:
    around = Surroundings(
        Plan(FACTS, conditions=(READY,), events=(Event("Normal", "Promoted", "Version 1 was promoted"),))
    )
    for _ in range(3):
        await around.reconcile(KEY)
    assert around.cluster.writes == ["status HeartModel", "create Event"]
    event = next(item for (kind, _), item in around.cluster.objects.items() if kind == "Event")
    assert event["involvedObject"]["uid"] == "u1"
    assert event["reason"] == "Promoted"


async def test_an_event_that_cannot_be_stored_stops_nothing() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,), events=(Event("Normal", "Promoted", "m"),)))
    around.cluster.fail[EVENT.kind] = RequestRejected("quota")
    await around.reconcile(KEY)
    assert around.cluster.condition("Ready")["status"] == "True"


async def test_a_deleted_model_asks_for_nothing() -> None:
    around = Surroundings(AssertionError("there is nothing to plan"))
    around.metrics.show("clinic", "heart", FACTS)
    del around.cluster.objects["HeartModel", "heart"]
    await around.reconcile(KEY)
    assert around.cluster.writes == []
    assert not around.metrics.tracks.models


async def test_a_model_that_is_being_deleted_gets_no_new_children() -> None:
    around = Surroundings(AssertionError("there is nothing to plan"))
    around.cluster.model["metadata"]["deletionTimestamp"] = NOW
    await around.reconcile(KEY)
    assert around.cluster.writes == []


async def test_an_edit_during_a_reconcile_is_not_overwritten() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,)))
    decide = around.decide

    def meanwhile(observed: Observed, selection: Selection, now: datetime) -> Plan:
        around.cluster.model["metadata"]["resourceVersion"] = "99"
        return decide(observed, selection, now)

    around.reconcile._decide = meanwhile
    with pytest.raises(Conflict):
        await around.reconcile(KEY)
    assert around.cluster.writes == []
    assert around.errors() == 0, "a conflict is no error"


async def test_time_brings_the_model_back() -> None:
    around = Surroundings(Plan(FACTS, requeue_after=60))
    await around.reconcile(KEY)
    assert around.queue._schedule.next_due() == 60


async def test_a_reconcile_that_takes_too_long_frees_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    around = Surroundings(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    around.reconcile._deadline = 0.01

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(around.cluster, "apply", never)
    with pytest.raises(DeadlineExceeded, match="did not end within"):
        await around.reconcile(KEY)
    assert around.errors() == 1
    monkeypatch.undo()
    around.reconcile._deadline = 10
    await around.reconcile(KEY)
    assert around.cluster.condition("Ready")["status"] == "True", "the next one goes on from there"


async def test_two_models_of_a_namespace_cannot_share_the_last_training_of_the_hour() -> None:
    """Both are planned before either Job exists."""
    around = Surroundings(Plan(FACTS, create=(training("heart-train-1"),)))
    gate = asyncio.Event()
    create = around.cluster.create

    async def slow(kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        await gate.wait()
        return await create(kind, manifest)

    around.cluster.create = slow
    first = asyncio.create_task(around.reconcile(KEY))
    while not around.seen:  # noqa: ASYNC110  a few turns of the loop
        await asyncio.sleep(0)
    (pending,) = around.usage.of(HEART_MODEL, "clinic", "another", datetime.now(UTC)).trainings
    assert (pending.job, pending.pending) == ("heart-train-1", True)
    gate.set()
    await first
    (started,) = around.usage.of(HEART_MODEL, "clinic", "another", datetime.now(UTC)).trainings
    assert not started.pending


def training(name: str) -> dict[str, Any]:
    job = child(JOB, name)
    job["metadata"] |= {"labels": {Label.COMPONENT: Component.TRAINING}, "annotations": {Annotation.TRIGGER: "spec"}}
    return job


async def test_an_ended_rollout_is_counted_once() -> None:
    around = Surroundings(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    for _ in range(3):
        await around.reconcile(KEY)
        around.cluster.objects.pop(("Service", "heart"))
    labels = {"namespace": KEY.namespace, "model": KEY.name, "result": "promoted"}
    value = around.metrics.registry.get_sample_value("heartops_rollouts_total", labels)
    assert value == 1


async def test_every_object_is_read_once_though_schedules_need_it_too() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,)))
    around.cluster.add_schedule("nightly")
    around.cluster.add_schedule("weekly")
    await around.reconcile(KEY)
    assert set(around.cluster.reads.values()) == {1}, around.cluster.reads
    assert {"get HeartModel", "list RetrainSchedule", "list Job"} <= set(around.cluster.reads)


async def test_the_model_answers_in_the_same_reconcile_what_a_schedule_requests() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,)))
    around.cluster.add_schedule("nightly")
    await around.reconcile(KEY)
    (observed,) = around.seen
    (run,) = observed.schedules[0].status.runs
    stored = around.cluster.objects["RetrainSchedule", "nightly"]["status"]["runs"]
    assert (run.phase, stored[0]["id"]) == ("Requested", run.id)


async def test_a_schedule_that_fails_stops_neither_the_others_nor_the_model() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,)))
    for name in ("first", "second", "third"):
        around.cluster.add_schedule(name)
    around.cluster.fail["first"] = ApiUnavailable("503")
    with pytest.raises(ApiUnavailable):
        await around.reconcile(KEY)
    assert "status" not in around.cluster.objects["RetrainSchedule", "first"]
    assert around.cluster.ready("second")["status"] == around.cluster.ready("third")["status"] == "True"
    assert around.cluster.condition("Ready")["status"] == "True"
    assert around.errors() == 1
    assert [len(schedule.status.runs) for schedule in around.seen[0].schedules] == [0, 1, 1], "what was stored"


async def test_a_model_that_fails_stops_no_schedule() -> None:
    around = Surroundings(ValueError("no plan"))
    around.cluster.add_schedule("nightly")
    with pytest.raises(ValueError, match="no plan"):
        await around.reconcile(KEY)
    assert around.cluster.ready("nightly")["status"] == "True"


async def test_a_schedule_without_its_model_says_so_once() -> None:
    around = Surroundings(AssertionError("there is nothing to plan"))
    del around.cluster.objects["HeartModel", "heart"]
    around.cluster.add_schedule("nightly")
    for _ in range(2):
        await around.reconcile(KEY)
    assert (around.cluster.ready("nightly")["status"], around.cluster.ready("nightly")["reason"]) == (
        "False",
        "ModelNotFound",
    )
    assert around.cluster.writes == ["status RetrainSchedule", "create Event"]


async def test_a_schedule_that_nobody_can_read_is_reported_with_its_field() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,)))
    around.cluster.add_schedule("newer", moonPhase="full")
    around.cluster.add_schedule("nightly")
    await around.reconcile(KEY)
    assert around.cluster.ready("newer")["reason"] == "InvalidSpec"
    assert "spec.moonPhase" in around.cluster.ready("newer")["message"]
    assert [schedule.name for schedule in around.seen[0].schedules] == ["nightly"]


async def test_a_check_job_that_lost_its_annotation_stops_no_schedule() -> None:
    around = Surroundings(Plan(FACTS, conditions=(READY,)))
    around.cluster.add_schedule("nightly")
    around.cluster.add_schedule("weekly")
    job = child(JOB, "nightly-check-1")
    owners = [{"uid": "nightly"}]
    job["metadata"] |= {"uid": "j", "creationTimestamp": NOW, "ownerReferences": owners, "annotations": {}}
    around.cluster.objects["Job", "nightly-check-1"] = job
    await around.reconcile(KEY)
    assert around.cluster.ready("nightly")["status"] == around.cluster.ready("weekly")["status"] == "True"
    assert around.errors() == 0
    assert ("Job", "nightly-check-1") not in around.cluster.objects


async def test_few_frames_lie_between_the_queue_and_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the queue's worker to the client's call; each has a job of its own."""
    frames: list[str] = []

    async def call_api(*_: object, **__: object) -> None:
        own = (frame for frame in traceback.extract_stack() if "/heart_operator/" in frame.filename)
        frames.extend(frame.name for frame in own if "/tests/" not in frame.filename)
        around.queue.stop()
        raise OSError("counted")

    around = Surroundings(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    real = Cluster(Configuration(host="http://127.0.0.1:1"))
    monkeypatch.setattr(real._client, "call_api", call_api)
    monkeypatch.setattr(around.cluster, "apply", real.apply)
    around.queue.add(KEY)
    await around.queue.run(around.reconcile, 1)
    await real.close()
    assert frames == ["_work", "__call__", "carry_out", "_apply", "apply", "request"]
