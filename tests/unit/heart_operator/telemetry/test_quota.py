"""What waits for a quota has a series; what no longer waits has none."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from heart_api.kube.values import ModelKey
from heart_operator.plan.quota import QuotaWait
from heart_operator.telemetry.quota import QuotaCollector

HEART, IRIS = ModelKey("clinic", "heart"), ModelKey("lab", "iris")
UNTIL = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def value(collector: QuotaCollector, name: str, key: ModelKey, quota: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(collector)
    labels = {"namespace": key.namespace, "model": key.name, "quota": quota}
    return registry.get_sample_value(f"heartops_quota_{name}", labels)


def test_a_training_that_waits_says_until_when() -> None:
    collector = QuotaCollector()
    collector.show(HEART, "u1", (QuotaWait("trainingsPerHour", "full", UNTIL),))
    assert value(collector, "waiting", HEART, "trainingsPerHour") == 1
    assert value(collector, "waiting_until_timestamp_seconds", HEART, "trainingsPerHour") == UNTIL.timestamp()
    collector.show(HEART, "u1", ())
    assert value(collector, "waiting", HEART, "trainingsPerHour") is None


def test_two_schedules_of_a_model_are_one_series() -> None:
    collector = QuotaCollector()
    for uid in ("s1", "s2"):
        collector.show(HEART, uid, (QuotaWait("schedules", f"{uid} waits"),))
    assert value(collector, "waiting", HEART, "schedules") == 1
    assert value(collector, "waiting_until_timestamp_seconds", HEART, "schedules") is None
    collector.keep_only(HEART, {"s2"})
    assert value(collector, "waiting", HEART, "schedules") == 1
    collector.keep_only(HEART, ())
    assert value(collector, "waiting", HEART, "schedules") is None


def test_a_deletion_concerns_those_of_its_namespace_that_wait_for_room() -> None:
    collector = QuotaCollector()
    collector.show(HEART, "u1", (QuotaWait("models", "too many"),))
    collector.show(IRIS, "u2", (QuotaWait("models", "too many"),))
    collector.show(ModelKey("clinic", "busy"), "u3", (QuotaWait("trainingsPerHour", "full", UNTIL),))
    assert collector.waiting_for("clinic", frozenset({"models", "schedules"})) == [HEART]
