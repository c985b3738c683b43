"""What Prometheus hears of schedules."""

from typing import Any

from prometheus_client import CollectorRegistry

from heart_api.kube.values import ModelKey
from heart_api.retrainschedule import RetrainSchedule
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_operator.telemetry.delivery import kind_of
from heart_operator.telemetry.schedules import ScheduleMetrics
from tests.support.plan.schedules import retrain_schedule

STATUS: dict[str, Any] = {
    "overdueSince": "2026-11-22T03:00:00Z",
    "lastSuccessfulTime": "2026-11-15T03:20:00Z",
    "lastDrift": {
        "time": "2026-11-22T06:00:00Z",
        "version": "7",
        "verdict": "Drift",
        "share": 0.25,
        "samples": 300,
        "features": [
            {"name": "age", "statistic": "ks", "value": 0.4, "pValue": 1e-9, "drifted": True},
            {"name": "sex", "statistic": "chi2", "value": 0.01, "pValue": 0.9, "drifted": False},
        ],
    },
    "runs": [
        {"id": "s2", "cause": "Schedule", "time": "t", "requestedAt": "t", "phase": "Training"},
        {"id": "s1", "cause": "Schedule", "time": "t", "requestedAt": "t", "phase": "Missed"},
    ],
}
LABELS = {"namespace": "clinic", "model": "heart", "schedule": "nightly"}


def shown(status: dict[str, Any], schedule: RetrainSchedule) -> tuple[CollectorRegistry, ScheduleMetrics]:
    registry, metrics = CollectorRegistry(), ScheduleMetrics()
    registry.register(metrics)
    metrics.show(schedule, RetrainScheduleStatus.model_validate(status))
    return registry, metrics


def test_the_status_as_numbers() -> None:
    registry, _ = shown(STATUS, retrain_schedule())
    assert registry.get_sample_value("heartops_drift_share", LABELS) == 0.25
    assert registry.get_sample_value("heartops_drift_detected", LABELS) == 1
    assert registry.get_sample_value("heartops_retraining_failed", LABELS) == 1, "the newest that has ended"
    assert registry.get_sample_value("heartops_retraining_due_timestamp_seconds", LABELS) == 1795316400
    assert registry.get_sample_value("heartops_retraining_last_success_timestamp_seconds", LABELS) == 1794712800
    assert registry.get_sample_value("heartops_drift_feature_distance", LABELS | {"feature": "age"}) == 0.4
    assert registry.get_sample_value("heartops_drift_feature_distance", LABELS | {"feature": "sex"}) is None


def test_what_is_not_known_has_no_series() -> None:
    registry, _ = shown({}, retrain_schedule())
    assert [sample for family in registry.collect() for sample in family.samples] == []


def test_a_schedule_that_is_gone_leaves_nothing_behind() -> None:
    registry, metrics = shown(STATUS, retrain_schedule())
    assert metrics.models() == {ModelKey("clinic", "heart")}
    metrics.keep_only(ModelKey("clinic", "heart"), ["another"])
    assert registry.get_sample_value("heartops_drift_share", LABELS) is None
    assert metrics.models() == set()


def test_trainings_are_counted_by_what_asked_for_them() -> None:
    assert kind_of("3f2a1b0c") == "spec"
    assert kind_of("3f2a1b0c-9d8e7f6a") == "retrain"
    assert kind_of("3f2a1b0c-9d8e7f6a-s20261122T030000Z") == "schedule"
    assert kind_of("3f2a1b0c-d20261122T030000Z") == "drift"
    assert kind_of("3f2a1b0c-p20261122T030000Z") == "performance"
