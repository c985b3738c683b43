"""One look at a model with everything around it in memory: what is written, in which order, and what failure does."""

import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from heart_api.heartmodel import ConditionStatus, HeartModelStatus, ServingStatus
from heart_api.kube.kinds import EVENT, HEART_MODEL, SERVICE, SERVICE_ACCOUNT, Kind
from heart_api.kube.values import ModelKey
from heart_operator.controllers.executor import Actions
from heart_operator.controllers.heartmodel import Reconciler
from heart_operator.controllers.status import Reporter
from heart_operator.controllers.workqueue import WorkQueue
from heart_operator.kube.errors import ApiUnavailable, Conflict, NotFound, Refused
from heart_operator.mlflow.calls import RegistryUnavailable
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.observe.heartmodel import Observer
from heart_operator.plan.actions import Event, Plan, SetAlias
from heart_operator.plan.observed import Observed
from heart_operator.profiles import parse_profiles
from heart_operator.telemetry.operator import Metrics
from tests.support.registry.fake import FakeRegistry

KEY = ModelKey("clinic", "heart")
NOW = "2026-01-02T03:04:05Z"
PROFILES = parse_profiles("default: {images: {trainer: t, serving: s}, trackingUri: http://mlflow}", "file")
READY = ConditionStatus(type="Ready", status="True", reason="Serving", last_transition_time=NOW)
FACTS = HeartModelStatus(observed_generation=1, serving=ServingStatus(version="1", digest="d", since=NOW))


class FakeCluster:
    """The API server's objects by kind and name; `fail` makes writes of a kind raise."""

    def __init__(self, spec: dict[str, Any]) -> None:
        meta = {"namespace": "clinic", "name": "heart", "uid": "u1", "generation": 1, "resourceVersion": "1"}
        model = {"apiVersion": HEART_MODEL.api_version, "kind": HEART_MODEL.kind, "metadata": meta, "spec": spec}
        self.objects: dict[tuple[str, str], dict[str, Any]] = {("HeartModel", "heart"): model}
        self.fail: dict[str, Exception] = {}
        self.writes: list[str] = []
        self._version = 1

    @property
    def model(self) -> dict[str, Any]:
        return self.objects["HeartModel", "heart"]

    def condition(self, type_: str) -> dict[str, Any]:
        return next(entry for entry in self.model["status"]["conditions"] if entry["type"] == type_)

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        if (kind.kind, name) not in self.objects:
            raise NotFound(name)
        return copy.deepcopy(self.objects[kind.kind, name])

    async def find(self, kind: Kind, namespace: str, selector: str) -> list[dict[str, Any]]:
        return []

    async def kinds_of(self, api_version: str) -> frozenset[str]:
        return frozenset()

    def check_leading(self, what: str) -> None:
        return

    async def create(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        return self._write("create", kind, manifest)

    async def apply(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        return self._write("apply", kind, manifest)

    async def replace(self, kind: Kind, manifest: dict[str, Any], subresource: str) -> dict[str, Any]:
        if manifest["metadata"]["resourceVersion"] != self.model["metadata"]["resourceVersion"]:
            raise Conflict("stale")
        return self._write(subresource, kind, manifest)

    def _write(self, verb: str, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        if kind.kind in self.fail:
            raise self.fail[kind.kind]
        name = manifest["metadata"]["name"]
        if verb == "create" and (kind.kind, name) in self.objects:
            raise Conflict(name)
        self._version += 1
        stored = copy.deepcopy(manifest)
        stored["metadata"]["resourceVersion"] = str(self._version)
        self.objects[kind.kind, name] = stored
        self.writes.append(f"{verb} {kind.kind}")
        return copy.deepcopy(stored)


def child(kind: Kind, name: str = "heart") -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"namespace": "clinic", "name": name}}


class Scene:
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
        registry = RegistryReader(lambda uri: self.backend, clock=lambda: 0.0, max_age=0)
        cluster: Any = self.cluster
        self.reconcile = Reconciler(
            Observer(cluster, registry, lambda: PROFILES, lambda: 0.0),
            self.decide,
            Actions(cluster, registry),
            Reporter(cluster),
            self.queue,
            self.metrics,
        )

    def decide(self, observed: Observed, now: datetime) -> Plan:
        self.seen.append(observed)
        if isinstance(self.plan, Exception):
            raise self.plan
        conditions = observed.model.status.conditions
        return replace(self.plan, facts=self.plan.facts.model_copy(update={"conditions": conditions}))

    def errors(self) -> float:
        return self.metrics.registry.get_sample_value("heartops_reconcile_errors_total") or 0


async def test_facts_are_recorded_before_and_conditions_after_the_actions() -> None:
    scene = Scene(Plan(FACTS, apply=(child(SERVICE_ACCOUNT),), create=(child(SERVICE),), conditions=(READY,)))
    await scene.reconcile(KEY)
    assert scene.cluster.writes == ["status HeartModel", "apply ServiceAccount", "create Service", "status HeartModel"]
    assert scene.cluster.model["status"]["serving"]["version"] == "1"
    assert scene.cluster.condition("Ready")["status"] == "True"


async def test_without_actions_the_status_is_written_once_and_then_not_again() -> None:
    scene = Scene(Plan(FACTS, conditions=(READY,)))
    for _ in range(3):
        await scene.reconcile(KEY)
    assert scene.cluster.writes == ["status HeartModel"]


async def test_facts_survive_an_action_that_fails() -> None:
    scene = Scene(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    scene.cluster.fail["Service"] = ApiUnavailable("503")
    with pytest.raises(ApiUnavailable):
        await scene.reconcile(KEY)
    assert scene.cluster.model["status"]["serving"]["version"] == "1"
    assert scene.cluster.model["status"]["conditions"] == [], "nobody may be told of what was not done"
    assert scene.errors() == 1


async def test_what_the_api_server_refuses_is_told_once() -> None:
    scene = Scene(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    scene.cluster.fail["Service"] = Refused("Service heart: spec.ports: Required value")
    for _ in range(3):
        with pytest.raises(Refused):
            await scene.reconcile(KEY)
    ready = scene.cluster.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ApplyFailed")
    assert "spec.ports" in ready["message"]
    assert scene.cluster.writes.count("create Event") == 1


async def test_a_stored_spec_that_cannot_be_read_is_reported_with_its_field() -> None:
    scene = Scene(AssertionError("there is nothing to plan"), engine="Dask")
    for _ in range(2):
        await scene.reconcile(KEY)
    ready = scene.cluster.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert "spec.engine" in ready["message"]
    assert scene.cluster.writes == ["status HeartModel", "create Event"]
    assert scene.errors() == 0


async def test_somebody_elses_object_of_our_name_is_left_alone() -> None:
    scene = Scene(Plan(FACTS, apply=(child(SERVICE),)))
    scene.cluster.objects["Service", "heart"] = child(SERVICE) | {"spec": {"theirs": True}}
    with pytest.raises(Exception, match="does not belong to this model"):
        await scene.reconcile(KEY)
    assert scene.cluster.objects["Service", "heart"]["spec"] == {"theirs": True}
    assert scene.cluster.condition("Ready")["reason"] == "ApplyFailed"


async def test_a_registry_that_fails_does_not_hold_up_the_report() -> None:
    scene = Scene(Plan(FACTS, registry=(SetAlias("serving", "1"),), conditions=(READY,)))
    scene.backend.down = True
    with pytest.raises(RegistryUnavailable):
        await scene.reconcile(KEY)
    assert scene.cluster.condition("Ready")["status"] == "True"


async def test_an_event_is_stored_once_per_state() -> None:
    scene = Scene(Plan(FACTS, conditions=(READY,), events=(Event("Normal", "Promoted", "Version 1 was promoted"),)))
    for _ in range(3):
        await scene.reconcile(KEY)
    assert scene.cluster.writes == ["status HeartModel", "create Event"]
    event = next(item for (kind, _), item in scene.cluster.objects.items() if kind == "Event")
    assert event["involvedObject"]["uid"] == "u1"
    assert event["reason"] == "Promoted"


async def test_an_event_that_cannot_be_stored_stops_nothing() -> None:
    scene = Scene(Plan(FACTS, conditions=(READY,), events=(Event("Normal", "Promoted", "m"),)))
    scene.cluster.fail[EVENT.kind] = Refused("quota")
    await scene.reconcile(KEY)
    assert scene.cluster.condition("Ready")["status"] == "True"


async def test_a_deleted_model_asks_for_nothing() -> None:
    scene = Scene(AssertionError("there is nothing to plan"))
    scene.metrics.show("clinic", "heart", FACTS)
    del scene.cluster.objects["HeartModel", "heart"]
    await scene.reconcile(KEY)
    assert scene.cluster.writes == []
    assert not scene.metrics.tracks.models


async def test_a_model_that_is_being_deleted_gets_no_new_children() -> None:
    scene = Scene(AssertionError("there is nothing to plan"))
    scene.cluster.model["metadata"]["deletionTimestamp"] = NOW
    await scene.reconcile(KEY)
    assert scene.cluster.writes == []


async def test_an_edit_during_a_look_is_not_overwritten() -> None:
    scene = Scene(Plan(FACTS, conditions=(READY,)))
    decide = scene.decide

    def meanwhile(observed: Observed, now: datetime) -> Plan:
        scene.cluster.model["metadata"]["resourceVersion"] = "99"
        return decide(observed, now)

    scene.reconcile._decide = meanwhile
    with pytest.raises(Conflict):
        await scene.reconcile(KEY)
    assert scene.cluster.writes == []
    assert scene.errors() == 0, "to look again is no error"


async def test_time_brings_the_model_back() -> None:
    scene = Scene(Plan(FACTS, requeue_after=60))
    await scene.reconcile(KEY)
    assert scene.queue._schedule.next_due() == 60


async def test_an_ended_rollout_is_counted_once() -> None:
    scene = Scene(Plan(FACTS, apply=(child(SERVICE),), conditions=(READY,)))
    for _ in range(3):
        await scene.reconcile(KEY)
        scene.cluster.objects.pop(("Service", "heart"))
    value = scene.metrics.registry.get_sample_value("heartops_rollouts_total", {"result": "promoted"})
    assert value == 1
