"""Counters of serving pods, read at one moment; and what happened between two moments. No I/O."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from heart_api.metrics import (
    ACCURACY,
    ACCURACY_ROWS,
    EXPERIMENT_OUTCOMES,
    EXPERIMENT_REQUESTS,
    LATENCY_BUCKET,
    LATENCY_EDGES,
    MIRROR_DIFFERENCE,
    MIRRORED,
    OUTPUT,
    REQUESTS,
)
from heart_operator.plan.analysis.counts import NO_OUTCOMES, Counts, Share
from heart_operator.plan.analysis.experiment import Sums
from heart_operator.plan.observed import Arms, MirrorCounts

GAUGES = (MIRROR_DIFFERENCE, ACCURACY, ACCURACY_ROWS, EXPERIMENT_OUTCOMES)
NAMES = (REQUESTS, LATENCY_BUCKET, OUTPUT, MIRRORED, EXPERIMENT_REQUESTS, *GAUGES)
UNKNOWN_FORM = "Prometheus' answer has an unknown form"


class Unreadable(Exception):
    """What was read are not counters of serving pods; the text is for people."""


@dataclass(frozen=True, slots=True)
class Series:
    """One time series of one pod."""

    source: str
    """The pod, where the labels do not name it."""
    name: str
    labels: frozenset[tuple[str, str]]

    def label(self, name: str) -> str:
        return next((value for key, value in self.labels if key == name), "")


Reading = Mapping[Series, float]


def parse_vector(answer: Any) -> dict[Series, float]:
    """An instant vector of Prometheus' HTTP API; raises Unreadable."""
    try:
        found = answer["data"]["result"]
        return dict(series("", item["metric"]["__name__"], item["metric"], float(item["value"][1])) for item in found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise Unreadable(UNKNOWN_FORM) from None


def parse_scrapes(answer: Any) -> dict[str, datetime]:
    """When each version was scraped, in an instant vector of seconds since 1970; raises Unreadable."""
    try:
        found = answer["data"]["result"]
        return {item["metric"]["model_version"]: datetime.fromtimestamp(float(item["value"][1]), UTC) for item in found}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, OSError):
        raise Unreadable(UNKNOWN_FORM) from None


def series(source: str, name: str, labels: Mapping[str, str], value: float) -> tuple[Series, float]:
    if not math.isfinite(value) or value < 0:
        raise Unreadable(f"{name} is not a number")
    return Series(source, name, frozenset((key, text) for key, text in labels.items() if key != "__name__")), value


def growth(before: Reading, after: Reading) -> dict[Series, float]:
    """What was counted in between. A counter that fell began anew, and so did one that was not there before."""
    return {
        entry: value if entry.name in GAUGES or value < before.get(entry, 0) else value - before.get(entry, 0)
        for entry, value in after.items()
    }


def of_version(reading: Reading, version: str) -> dict[Series, float]:
    return {entry: value for entry, value in reading.items() if entry.label("model_version") == version}


def answered(reading: Reading) -> bool:
    """True if the reading has a request counter, even at zero; otherwise nothing was measured."""
    return any(entry.name == REQUESTS for entry in reading)


def count_answers(grown: Reading) -> Counts:
    """All pods' answers together; of one version."""
    codes = summed(grown, REQUESTS, "code")
    return Counts(
        requests=sum(codes.values()),
        errors=sum(count for code, count in codes.items() if code.startswith("5")),
        invalid=codes.get("422", 0),
        latency=buckets(summed(grown, LATENCY_BUCKET, "le")),
        outputs={name: count for name, count in summed(grown, OUTPUT, "bin").items() if count},
    )


def count_mirrored(grown: Reading, candidate: str) -> MirrorCounts:
    """What the serving version's pods found when they copied requests to the candidate."""
    about = {entry: value for entry, value in grown.items() if entry.label("candidate_version") == candidate}
    results = summed(about, MIRRORED, "result")
    equal, different = results.get("equal", 0), results.get("different", 0)
    largest = max((value for entry, value in about.items() if entry.name == MIRROR_DIFFERENCE), default=0.0)
    return MirrorCounts(equal + different, different, results.get("failed", 0), largest)


def count_arms(grown: Reading, candidate: str) -> Arms:
    """The groups of the experiment with this candidate, as the serving version's pods tell them apart."""
    about = {entry: value for entry, value in grown.items() if entry.label("candidate_version") == candidate}
    return Arms(
        arm_requests(about, "stable"),
        arm_requests(about, "candidate"),
        arm_outcomes(about, "stable"),
        arm_outcomes(about, "candidate"),
    )


def arm_requests(about: Reading, arm: str) -> Share:
    codes = summed(
        {entry: value for entry, value in about.items() if entry.label("arm") == arm}, EXPERIMENT_REQUESTS, "code"
    )
    return Share(sum(count for code, count in codes.items() if code.startswith("5")), sum(codes.values()))


def arm_outcomes(about: Reading, arm: str) -> Sums | None:
    """As the pod says that knows most: each has asked the same database, at its own time."""
    pods: dict[tuple[str, str], dict[str, float]] = {}
    for entry, value in about.items():
        if entry.name == EXPERIMENT_OUTCOMES and entry.label("arm") == arm:
            pods.setdefault((entry.source, entry.label("pod")), {})[entry.label("statistic")] = value
    known = [found for found in pods.values() if found.keys() >= {"count", "total", "squares"}]
    most = max(known, key=lambda found: found["count"], default=None)
    return Sums(round(most["count"]), most["total"], most["squares"]) if most else None


def count_outcomes(reading: Reading) -> Share:
    """Wrong ones among the predictions with a reported outcome, as the pod says that knows most; of one version."""
    pods = [
        (reading.get(replace(entry, name=ACCURACY_ROWS), 0.0), right)
        for entry, right in reading.items()
        if entry.name == ACCURACY and entry.label("source") == "feedback"
    ]
    rows, right = max(pods, default=(0.0, 0.0))
    return Share(round(rows * (1 - right)), round(rows)) if rows else NO_OUTCOMES


def summed(reading: Reading, name: str, label: str) -> dict[str, int]:
    """Counts by the value of a label."""
    totals: dict[str, float] = {}
    for entry, value in reading.items():
        if entry.name == name:
            totals[entry.label(label)] = totals.get(entry.label(label), 0) + value
    return {key: round(value) for key, value in totals.items()}


def buckets(within: Mapping[str, int]) -> tuple[int, ...]:
    """Counts per bucket, from cumulative ones; what a missing edge would have counted is in the next, slower bucket."""
    by_edge = {edge_of(text): count for text, count in within.items()}
    reached = [0]
    for edge in (*LATENCY_EDGES, math.inf):
        reached.append(max(by_edge.get(edge, 0), reached[-1]))
    return tuple(high - low for low, high in pairwise(reached))


def edge_of(text: str) -> float:
    """An edge as its number, whoever wrote it: 1, 1.0."""
    try:
        return float(text)
    except ValueError:
        raise Unreadable(f"{LATENCY_BUCKET} has a bucket bound that is not a number") from None


def merged(readings: Iterable[Reading]) -> dict[Series, float]:
    return {entry: value for reading in readings for entry, value in reading.items()}
