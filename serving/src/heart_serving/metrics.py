"""Counters of the hot path: plain Python numbers, put into Prometheus' form only when they are scraped.

A request costs a few list increments; prometheus-client's own objects take a lock for each.
Everything here is written on the event loop's thread alone.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from heart_api.metrics import (
    CALLER_KEYS,
    CALLERS,
    DENIED,
    EXPERIMENT_REQUESTS,
    LATENCY_EDGES,
    MIRROR_DIFFERENCE,
    MIRRORED,
    OUTPUT,
    PREDICTIONS,
    REQUESTS,
)
from heart_serving.protocols.answers import Outputs
from heart_serving.protocols.confidence import ConfidenceCounts
from heart_serving.protocols.output_bins import OutputCounts


class Admission(Protocol):
    """Who admits callers, for the metrics."""

    @property
    def denied(self) -> Mapping[str, int]:
        """Requests without a valid key or token, by reason."""

    @property
    def keys(self) -> int | None:
        """How many keys could admit a caller; None where callers need not say who they are."""


class Open:
    """Everybody is admitted."""

    denied: Mapping[str, int] = MappingProxyType({})
    keys = None


OPEN = Open()


class Histogram:
    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_EDGES) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(LATENCY_EDGES, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Pairs of upper bound and cumulative count for prometheus_client, ending with +Inf."""
        bounds = [*map(str, LATENCY_EDGES), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))


@dataclass(slots=True)
class Mirrored:
    """What became of the requests that were copied to one candidate."""

    results: dict[str, int] = field(default_factory=lambda: {"equal": 0, "different": 0, "failed": 0, "dropped": 0})
    max_difference: float = 0.0

    def add(self, equal: bool, difference: float) -> None:
        self.results["equal" if equal else "different"] += 1
        self.max_difference = max(self.max_difference, difference)


class ServingMetrics(Collector):
    """What one pod has done since its start, for one model version."""

    def __init__(
        self, name: str, version: str, info: dict[str, str], outputs: OutputCounts, admission: Admission = OPEN
    ) -> None:
        self._labels = {"model_name": name, "model_version": version}
        self._info = info
        self.codes: dict[int, int] = {200: 0}
        self.predictions = 0
        self.last_prediction = 0.0
        """Seconds since 1970; 0: there was none."""
        self.outputs = outputs
        self.confidence = ConfidenceCounts() if outputs.of_classes else None
        self.admission = admission
        self.callers: dict[str, int] = {}
        self.arms: dict[tuple[str, str, int], int] = {}
        """Predictions for the users of experiments, by candidate, arm and status code."""
        self._mirrored: dict[str, Mirrored] = {}
        self.latency, self.preprocess, self.predict, self.postprocess, self.explain = (Histogram() for _ in range(5))

    def count(self, code: int) -> None:
        self.codes[code] = self.codes.get(code, 0) + 1

    def count_outputs(self, outputs: Outputs) -> None:
        """Records that were answered."""
        self.outputs.add(outputs)
        if self.confidence:
            self.confidence.add(outputs)

    def count_caller(self, name: str) -> None:
        self.callers[name] = self.callers.get(name, 0) + 1

    def count_arm(self, candidate: str, arm: str, code: int) -> None:
        """A prediction for a user of an experiment with this candidate."""
        key = (candidate, arm, code)
        self.arms[key] = self.arms.get(key, 0) + 1

    def mirrored_to(self, version: str) -> Mirrored:
        """The counts of a candidate, from when mirroring to it first began."""
        return self._mirrored.setdefault(version, Mirrored())

    def collect(self) -> Iterator[Metric]:
        names, values = list(self._labels), list(self._labels.values())
        requests = CounterMetricFamily(REQUESTS, "HTTP requests, by status code.", labels=[*names, "code"])
        for code, count in sorted(self.codes.items()):
            requests.add_metric([*values, str(code)], count)
        yield requests
        predictions = CounterMetricFamily(PREDICTIONS, "Predicted records.", labels=names)
        predictions.add_metric(values, self.predictions)
        yield predictions
        outputs = CounterMetricFamily(OUTPUT, "Predicted records, by output bin.", labels=[*names, "bin"])
        for bin_, count in self.outputs.items():
            outputs.add_metric([*values, bin_], count)
        yield outputs
        if self.confidence:
            confidence = HistogramMetricFamily(
                "prediction_confidence_ratio", "Probability of the predicted class.", labels=names
            )
            confidence.add_metric(values, self.confidence.buckets(), self.confidence.sum)
            yield confidence
        yield from self._callers(names, values)
        yield from self._mirror(names, values)
        yield self._arms(names, values)
        info = InfoMetricFamily("model", "Model version served by this pod.", labels=names)
        info.add_metric(values, self._info)
        yield info
        yield from self._histograms(names, values)

    def _callers(self, names: list[str], values: list[str]) -> Iterator[Metric]:
        denied = CounterMetricFamily(
            DENIED, "Requests denied for want of a valid key or token, by reason.", labels=[*names, "reason"]
        )
        for reason, count in self.admission.denied.items():
            denied.add_metric([*values, reason], count)
        yield denied
        if self.admission.keys is not None:
            keys = GaugeMetricFamily(CALLER_KEYS, "API keys, or keys of the issuer, that admit callers.", labels=names)
            keys.add_metric(values, self.admission.keys)
            yield keys
        callers = CounterMetricFamily(CALLERS, "Requests admitted, by caller.", labels=[*names, "caller"])
        for caller, count in sorted(self.callers.items()):
            callers.add_metric([*values, caller], count)
        yield callers

    def _arms(self, names: list[str], values: list[str]) -> Metric:
        text = "Predictions for the users of an experiment, by arm and status code."
        family = CounterMetricFamily(EXPERIMENT_REQUESTS, text, labels=[*names, "candidate_version", "arm", "code"])
        for (candidate, arm, code), count in sorted(self.arms.items()):
            family.add_metric([*values, candidate, arm, str(code)], count)
        return family

    def _mirror(self, names: list[str], values: list[str]) -> Iterator[Metric]:
        names = [*names, "candidate_version"]
        copies = CounterMetricFamily(
            MIRRORED, "Requests mirrored to the candidate, by result.", labels=[*names, "result"]
        )
        largest = GaugeMetricFamily(
            MIRROR_DIFFERENCE,
            "Largest difference between the predictions of the stable version and the candidate.",
            labels=names,
        )
        for version, mirrored in self._mirrored.items():
            for result, count in mirrored.results.items():
                copies.add_metric([*values, version, result], count)
            largest.add_metric([*values, version], mirrored.max_difference)
        yield copies
        yield largest

    def _histograms(self, names: list[str], values: list[str]) -> Iterator[Metric]:
        for name, text, histogram in (
            ("prediction_latency_seconds", "Latency from the complete request to the response.", self.latency),
            ("request_preprocess_seconds", "Time spent parsing and validating a request.", self.preprocess),
            ("request_predict_seconds", "Time spent in ONNX inference.", self.predict),
            ("request_postprocess_seconds", "Time spent serializing the response.", self.postprocess),
            ("request_explain_seconds", "Latency from the complete request to the explanation.", self.explain),
        ):
            family = HistogramMetricFamily(name, text, labels=names)
            family.add_metric(values, histogram.buckets(), histogram.sum)
            yield family


class Exposition:
    """Prometheus' text format on demand: the metrics, and the process's own (memory, CPU, file descriptors)."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, *collectors: Collector) -> None:
        self._registry = CollectorRegistry()
        for collector in collectors:
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)

    def __call__(self) -> bytes:
        return generate_latest(self._registry)
