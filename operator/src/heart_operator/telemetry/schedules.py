"""Prometheus metrics of RetrainSchedules, read from the latest status; a deleted schedule leaves no series."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.kube.values import ModelKey
from heart_api.retrainschedule import RetrainSchedule
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_api.times import read

LABELS = ("namespace", "model", "schedule")


@dataclass(frozen=True)
class Gauge:
    """One number of a schedule; None: no series."""

    help: str
    value: Callable[[RetrainScheduleStatus], float | None]


def moment(text: str | None) -> float | None:
    return read(text).timestamp() if text else None


def share(status: RetrainScheduleStatus) -> float | None:
    return status.last_drift.share if status.last_drift else None


def detected(status: RetrainScheduleStatus) -> float | None:
    return float(status.last_drift.verdict == "Drift") if status.last_drift else None


def failed(status: RetrainScheduleStatus) -> float | None:
    """Of the newest run that has ended."""
    ended = next((run for run in status.runs if run.phase in ("Succeeded", "Failed", "Missed")), None)
    return float(ended.phase != "Succeeded") if ended else None


GAUGES: Mapping[str, Gauge] = {
    "heartops_drift_share": Gauge("Share of drifted features in the latest drift check.", share),
    "heartops_drift_detected": Gauge(
        "1 if the latest drift check detected drift in two consecutive windows.", detected
    ),
    "heartops_retraining_failed": Gauge("1 if the latest finished run did not produce a serving version.", failed),
    "heartops_retraining_due_timestamp_seconds": Gauge(
        "Scheduled time of the overdue retraining.", lambda status: moment(status.overdue_since)
    ),
    "heartops_retraining_last_success_timestamp_seconds": Gauge(
        "Time of the latest successful retraining.", lambda status: moment(status.last_successful_time)
    ),
}


class ScheduleMetrics(Collector):
    """Register it with the operator's registry."""

    def __init__(self) -> None:
        self._statuses: dict[ModelKey, dict[str, RetrainScheduleStatus]] = {}

    def show(self, schedule: RetrainSchedule, status: RetrainScheduleStatus) -> None:
        key = ModelKey(schedule.namespace, schedule.spec.model_name)
        self._statuses.setdefault(key, {})[schedule.name] = status

    def keep_only(self, key: ModelKey, names: Iterable[str]) -> None:
        """A model's schedules that are still there."""
        known, kept = self._statuses.pop(key, {}), set(names)
        if left := {name: status for name, status in known.items() if name in kept}:
            self._statuses[key] = left

    def models(self) -> set[ModelKey]:
        """Whose schedules have series."""
        return set(self._statuses)

    def collect(self) -> Iterable[Metric]:
        for name, gauge in GAUGES.items():
            family = GaugeMetricFamily(name, gauge.help, labels=LABELS)
            for labels, status in self._all():
                if (value := gauge.value(status)) is not None:
                    family.add_metric(labels, value)
            yield family
        yield self._features()

    def _features(self) -> Metric:
        family = GaugeMetricFamily(
            "heartops_drift_feature_distance",
            "Distance between the live and training distributions of a drifted feature, from 0 to 1.",
            labels=(*LABELS, "feature"),
        )
        for labels, status in self._all():
            for feature in status.last_drift.features if status.last_drift else ():
                if feature.drifted:
                    family.add_metric([*labels, feature.name], feature.value)
        return family

    def _all(self) -> Iterable[tuple[list[str], RetrainScheduleStatus]]:
        for key, schedules in sorted(self._statuses.items(), key=lambda item: str(item[0])):
            for name, status in sorted(schedules.items()):
                yield [key.namespace, key.name, name], status
