"""The log in Prometheus' form: what was written, what was dropped and why, outcomes, and live quality."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.metrics import EXPERIMENT_OUTCOMES
from heart_log.quality import Figures
from heart_log.values import ArmSums

DROP_REASONS = ("queue_full", "rejected", "shutdown", "no_database")
FEEDBACK_RESULTS = ("new", "corrected", "unchanged", "conflicts", "rejected", "unavailable")
QUALITY = {
    "accuracy": "Accuracy of the predictions",
    "precision": "Precision of the positive class, or the macro average of several classes",
    "recall": "Recall of the positive class, or the macro average of several classes",
    "f1": "F1 score of the positive class, or the macro average of several classes",
    "brier": "Brier score of the probabilities",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
}


@dataclass(frozen=True, slots=True)
class Arms:
    """What the log knows of an experiment's two groups, by arm."""

    candidate: str = ""
    sums: Mapping[str, ArmSums] = field(default_factory=dict)


NO_ARMS = Arms()


@dataclass(slots=True, eq=False)
class LogMetrics(Collector):
    """Numbers that the parts of the log keep up to date; `collect` reads them."""

    labels: Mapping[str, str]
    dropped: Counter[str] = field(default_factory=Counter)
    feedback: Counter[str] = field(default_factory=Counter)
    written: Callable[[], int] = lambda: 0
    errors: Callable[[], int] = lambda: 0
    waiting: Callable[[], int] = lambda: 0
    figures: Callable[[], Mapping[str, Figures]] = dict
    arms: Callable[[], Arms] = lambda: NO_ARMS

    def collect(self) -> Iterator[Metric]:
        names, values = list(self.labels), list(self.labels.values())
        for name, text, value in (
            ("prediction_log_written", "Records written to the prediction log.", self.written()),
            ("prediction_log_write_errors", "Failed writes to the prediction log; each is retried.", self.errors()),
        ):
            family = CounterMetricFamily(name, text, labels=names)
            family.add_metric(values, value)
            yield family
        yield self._counts(
            "prediction_log_dropped",
            "Records dropped by the prediction log, by reason.",
            "reason",
            DROP_REASONS,
            self.dropped,
        )
        yield self._counts("feedback", "Reported outcomes, by result.", "result", FEEDBACK_RESULTS, self.feedback)
        waiting = GaugeMetricFamily("prediction_log_queue_rows", "Records waiting to be written.", labels=names)
        waiting.add_metric(values, self.waiting())
        yield waiting
        yield from self._quality([*names, "source"], values)
        yield self._arms(names, values)

    def _arms(self, names: list[str], values: list[str]) -> Metric:
        text = "Reported outcomes of an experiment's users, by arm: their count, sum and sum of squares."
        family = GaugeMetricFamily(EXPERIMENT_OUTCOMES, text, labels=[*names, "candidate_version", "arm", "statistic"])
        found = self.arms()
        for arm, sums in found.sums.items():
            for statistic in ("count", "total", "squares"):
                family.add_metric([*values, found.candidate, arm, statistic], getattr(sums, statistic))
        return family

    def _counts(
        self, name: str, text: str, label: str, kinds: tuple[str, ...], counts: Counter[str]
    ) -> CounterMetricFamily:
        family = CounterMetricFamily(name, text, labels=[*self.labels, label])
        for kind in kinds:
            family.add_metric([*self.labels.values(), kind], counts[kind])
        return family

    def _quality(self, names: list[str], values: list[str]) -> Iterator[Metric]:
        """`model_accuracy`, its 95% interval as `model_accuracy_low` and `_high`, and how many rows it rests on."""
        found = self.figures()
        for metric, text in QUALITY.items():
            known = {source: figures[metric] for source, figures in found.items() if metric in figures}
            for suffix, part, help_text in (
                ("", "value", text),
                ("_low", "low", f"{text}, lower bound of the 95% confidence interval"),
                ("_high", "high", f"{text}, upper bound of the 95% confidence interval"),
                ("_rows", "rows", f"{text}, number of predictions"),
            ):
                family = GaugeMetricFamily(f"model_{metric}{suffix}", f"{help_text}.", labels=names)
                for source, figure in known.items():
                    family.add_metric([*values, source], getattr(figure, part))
                if known:
                    yield family
