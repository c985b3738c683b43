"""What namespaces use: counted once when an operator begins, then from its watches."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from heart_api.kube.kinds import HEART_MODEL, JOB, RETRAIN_SCHEDULE, Kind
from heart_api.times import written
from heart_operator.kube.errors import NotFound
from heart_operator.observe.usage import NamespaceUsage
from heart_operator.plan.quota import StartedTraining, Usage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(minutes: int) -> str:
    return written(NOW - timedelta(minutes=minutes))


def thing(kind: Kind, name: str, minutes: int, namespace: str = "clinic", **rest: Any) -> dict[str, Any]:
    meta = {"namespace": namespace, "name": name, "creationTimestamp": at(minutes)} | rest.pop("metadata", {})
    return {"kind": kind.kind, "metadata": meta, **rest}


def job(name: str, minutes: int, trigger: str = "spec-1") -> dict[str, Any]:
    about = {"labels": {"app.kubernetes.io/component": "training"}, "annotations": {"heartops.dev/trigger": trigger}}
    return thing(JOB, name, minutes, metadata=about)


def model(name: str, minutes: int, **training: Any) -> dict[str, Any]:
    return thing(HEART_MODEL, name, minutes, status={"training": training} if training else {})


class Listed:
    """The API server's lists."""

    def __init__(self, **items: list[dict[str, Any]]) -> None:
        self.items = items
        self.requests = 0

    async def collect(
        self, kind: Kind, namespaces: Sequence[str], pick: Callable[[dict[str, Any]], Any], selector: str = ""
    ) -> list[Any]:
        self.requests += 1
        if kind.plural not in self.items:
            raise NotFound(kind.plural)
        return [pick(item) for item in self.items[kind.plural]]


async def loaded(**items: list[dict[str, Any]]) -> NamespaceUsage:
    usage = NamespaceUsage()
    cluster: Any = Listed(**items)
    await usage.load(cluster, (), NOW)
    return usage


async def test_an_operator_that_begins_knows_the_place_of_every_model() -> None:
    usage = await loaded(heartmodels=[model("b", 10), model("a", 5), model("c", 10)], retrainschedules=[], jobs=[])
    places = {name: usage.of(HEART_MODEL, "clinic", name, NOW) for name in "abc"}
    assert {name: found.older for name, found in places.items()} == {"b": 0, "c": 1, "a": 2}
    assert {found.count for found in places.values()} == {3}
    assert usage.of(HEART_MODEL, "lab", "a", NOW) == Usage(1, 0)


async def test_an_operator_that_begins_counts_the_trainings_of_the_last_hour() -> None:
    usage = await loaded(
        heartmodels=[
            model("a", 90, job="a-train", startedAt=at(50), phase="Succeeded"),
            model("b", 90, job="b-train", startedAt=at(40), phase="Failed"),
            model("c", 90, job="c-train", startedAt=at(1), phase="Running"),
            model("d", 90, job="d-train", startedAt=at(70), phase="Succeeded"),
        ],
        jobs=[job("a-train", 50), job("a-old", 80), job("a-evaluate", 5, "evaluate-3-1a2b3c4d")],
    )
    found = usage.of(HEART_MODEL, "clinic", "a", NOW).trainings
    assert [(entry.job, entry.pending) for entry in found] == [
        ("a-train", False),
        ("b-train", False),
        ("c-train", True),
    ], "the Job of c-train was recorded and not made yet"


async def test_no_object_is_listed_again_for_a_reconcile() -> None:
    usage, cluster = NamespaceUsage(), Listed(heartmodels=[model("a", 1)], retrainschedules=[], jobs=[])
    fake: Any = cluster
    await usage.load(fake, (), NOW)
    before = cluster.requests
    for _ in range(100):
        usage.of(HEART_MODEL, "clinic", "a", NOW)
    assert cluster.requests == before


def test_watches_keep_the_count() -> None:
    usage = NamespaceUsage()
    for number in range(5):
        usage.add(RETRAIN_SCHEDULE, "clinic", f"s{number}", at(50 - number))
    usage.add(RETRAIN_SCHEDULE, "lab", "s0", at(99))
    usage.remove(RETRAIN_SCHEDULE, "clinic", "s0")
    usage.remove(RETRAIN_SCHEDULE, "clinic", "s0")
    assert usage.of(RETRAIN_SCHEDULE, "clinic", "s3", NOW) == Usage(4, 2)
    usage.add(RETRAIN_SCHEDULE, "clinic", "s1", at(0))
    assert usage.of(RETRAIN_SCHEDULE, "clinic", "s1", NOW) == Usage(4, 3), "made anew under its name, it is the newest"
    assert usage.of(RETRAIN_SCHEDULE, "clinic", "unseen", NOW).older == 4


async def test_a_missed_deletion_is_found_by_the_next_listing() -> None:
    usage = await loaded(heartmodels=[model("a", 9), model("b", 8)], jobs=[])
    cluster: Any = Listed(heartmodels=[model("b", 8)])
    await usage.refresh(cluster, ())
    assert usage.of(HEART_MODEL, "clinic", "b", NOW) == Usage(1, 0)


def test_a_planned_training_counts_once_and_each_of_its_jobs_counts() -> None:
    usage = NamespaceUsage()
    for minutes in (3, 2, 1):
        usage.reserve("clinic", "a-train", NOW - timedelta(minutes=minutes))
    assert trainings(usage) == [StartedTraining("a-train", NOW - timedelta(minutes=3), pending=True)]
    usage.confirm("clinic", ["a-train"])
    usage.reserve("clinic", "a-train", NOW)
    assert [entry.pending for entry in trainings(usage)] == [False, True], "somebody deleted the first Job"


def test_nothing_is_kept_of_trainings_that_count_no_more() -> None:
    usage = NamespaceUsage()
    usage.reserve("clinic", "a-train", NOW)
    assert usage.of(HEART_MODEL, "clinic", "a", NOW + timedelta(hours=1)).trainings == ()
    assert usage._trainings == {}


def trainings(usage: NamespaceUsage) -> list[StartedTraining]:
    return list(usage.of(HEART_MODEL, "clinic", "a", NOW).trainings)


def test_the_older_model_keeps_its_address() -> None:
    usage = NamespaceUsage()
    for name, age in (("a", 5), ("b", 10), ("c", 10)):
        usage.add(HEART_MODEL, "clinic", name, at(age))
        usage.place("clinic", name, frozenset({"host/"}))
    assert {name: dict(usage.of(HEART_MODEL, "clinic", name, NOW).taken) for name in "bc"} == {
        "b": {},
        "c": {"host/": "b"},
    }
    assert usage.of(HEART_MODEL, "clinic", "a", NOW).taken.keys() == {"host/"}
    assert usage.of(HEART_MODEL, "lab", "a", NOW).taken == {}
    usage.remove(HEART_MODEL, "clinic", "b")
    usage.place("clinic", "c", frozenset())
    assert usage.of(HEART_MODEL, "clinic", "a", NOW).taken == {}
