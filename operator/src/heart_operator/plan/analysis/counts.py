"""What versions answered: counts that add up, as the status keeps them."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from heart_api.metrics import LATENCY_EDGES
from heart_api.status import TrackCounts

BUCKETS = len(LATENCY_EDGES) + 1
"""One for each edge, and one for what is slower than the last."""


@dataclass(frozen=True, slots=True)
class Share:
    """`bad` of `n`."""

    bad: int
    n: int

    @property
    def rate(self) -> float:
        return self.bad / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """One version's answers in some stretch of time."""

    requests: int = 0
    errors: int = 0
    """5xx."""
    invalid: int = 0
    """422: the request broke the data contract."""
    latency: tuple[int, ...] = (0,) * BUCKETS
    """Predictions per bucket of `LATENCY_EDGES`; the last is of those beyond the last edge."""
    outputs: Mapping[str, int] = field(default_factory=dict)
    """Records per bin of the output."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.requests + other.requests,
            self.errors + other.errors,
            self.invalid + other.invalid,
            tuple(mine + its for mine, its in zip(self.latency, other.latency, strict=True)),
            dict(Counter(self.outputs) + Counter(other.outputs)),
        )

    def slower_than(self, limit: float) -> Share:
        """Predictions over the nearest edge at or above `limit` seconds (above all edges: the last one)."""
        edge = min(bisect_left(LATENCY_EDGES, limit), len(LATENCY_EDGES) - 1)
        return Share(sum(self.latency[edge + 1 :]), sum(self.latency))

    @property
    def sized(self) -> int:
        """Outputs that count as independent: rows of one request resemble each other, so at most one of each."""
        return min(self.requests, sum(self.outputs.values()))

    @classmethod
    def load(cls, status: TrackCounts) -> "Counts":
        """Of a status whose histogram had other edges, the latency begins anew."""
        latency = status.latency if len(status.latency) == BUCKETS else (0,) * BUCKETS
        return cls(status.requests, status.errors, status.invalid, latency, dict(status.outputs))

    def dump(self) -> TrackCounts:
        return TrackCounts(
            requests=self.requests,
            errors=self.errors,
            invalid=self.invalid,
            latency=self.latency,
            outputs=dict(self.outputs),
        )


NO_ANSWERS = Counts()
NO_OUTCOMES = Share(0, 0)
