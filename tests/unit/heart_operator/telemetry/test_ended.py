"""Series of what ended: there from the beginning, counted once, gone with the model."""

from heart_api.heartmodel import HeartModelStatus, ServingStatus
from heart_api.status import TrainingStatus
from heart_operator.telemetry.operator import Metrics

START, END = "2026-01-02T03:04:05Z", "2026-01-02T03:14:05Z"
OF_HEART = {"namespace": "clinic", "model": "heart"}
TRAINED = TrainingStatus(job="j", trigger="t", phase="Succeeded", started_at=START, finished_at=END, version="1")
RUNNING = HeartModelStatus(training=TRAINED.model_copy(update={"phase": "Running", "finished_at": None}))
SERVING = HeartModelStatus(training=TRAINED, serving=ServingStatus(version="1", digest="d", since=END))
OBJECT = {"metadata": {"namespace": "clinic", "name": "heart"}, "status": RUNNING.model_dump(by_alias=True)}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, OF_HEART | labels)


def test_a_new_models_series_start_at_zero() -> None:
    """`increase()` does not count the value with which a series begins."""
    metrics = Metrics()
    metrics.show("clinic", "heart", HeartModelStatus())
    for result in ("promoted", "rejected", "rolled_back", "gate_failed", "experiment_lost"):
        assert value(metrics, "heartops_rollouts_total", result=result) == 0
    assert value(metrics, "heartops_trainings_total", trigger="drift", result="failed") == 0
    assert value(metrics, "heartops_lead_time_seconds_count") == 0


def test_what_ended_is_counted_by_model() -> None:
    metrics = Metrics()
    metrics.stored(OBJECT, SERVING)
    metrics.stored(OBJECT | {"status": SERVING.model_dump(by_alias=True)}, SERVING)
    assert value(metrics, "heartops_rollouts_total", result="promoted") == 1
    assert value(metrics, "heartops_trainings_total", trigger="spec", result="succeeded") == 1
    assert value(metrics, "heartops_training_duration_seconds_sum") == 600
    assert value(metrics, "heartops_lead_time_seconds_sum") == 600
    assert value(metrics, "heartops_time_to_restore_seconds_count") == 0


def test_a_deleted_model_leaves_no_series_and_may_come_back() -> None:
    metrics = Metrics()
    metrics.show("clinic", "lungs", HeartModelStatus())
    before = count(metrics)
    metrics.stored(OBJECT, SERVING)
    metrics.forget("clinic", "heart")
    metrics.forget("clinic", "heart")
    assert count(metrics) == before
    metrics.show("clinic", "heart", HeartModelStatus())
    assert value(metrics, "heartops_rollouts_total", result="promoted") == 0


def count(metrics: Metrics) -> int:
    families = (family for family in metrics.registry.collect() if family.name.startswith("heartops_"))
    return sum(len(family.samples) for family in families)
