"""Made-up traffic for the analysis: what a version with these faults answers, by the seed or exactly."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from heart_operator.plan.analysis.counts import BUCKETS, Counts

QUICK, SLOW = 5, 12
"""Buckets below and above half a second."""


@cache
def probabilities(mean: float = 0.0, spread: float = 2.0) -> npt.NDArray[np.float64]:
    """Shares of the twenty bins for a model whose logits are normal; 2 is what heart data give."""
    logits = np.linspace(mean - 6 * spread, mean + 6 * spread, 4001)
    density = np.exp(-0.5 * ((logits - mean) / spread) ** 2)
    found, _ = np.histogram(1 / (1 + np.exp(-logits)), bins=20, range=(0, 1), weights=density)
    return found / found.sum()


ORDINARY = probabilities()


@dataclass(frozen=True)
class Behaviour:
    """Shares of the answers."""

    errors: float = 0.0
    invalid: float = 0.0
    slow: float = 0.0
    mean: float = 0.0
    """Of the logits; ordinary models have 0."""
    spread: float = 2.0

    def answer(self, random: np.random.Generator, requests: int) -> Counts:
        errors, invalid, good = random.multinomial(
            requests, [self.errors, self.invalid, 1 - self.errors - self.invalid]
        )
        slow = random.binomial(good, self.slow)
        outputs = random.multinomial(good, probabilities(self.mean, self.spread))
        return counts(requests, errors=int(errors), invalid=int(invalid), slow=int(slow), outputs=outputs)


def counts(
    requests: int, *, errors: int = 0, invalid: int = 0, slow: int = 0, outputs: npt.NDArray[np.int64] | None = None
) -> Counts:
    """Exactly these answers; what was neither invalid nor in error was predicted."""
    good = requests - errors - invalid
    latency = [0] * BUCKETS
    latency[QUICK], latency[SLOW] = good - slow, slow
    found = np.round(ORDINARY * good).astype(int) if outputs is None else outputs
    bins = {f"{position / 20:.2f}": int(count) for position, count in enumerate(found) if count}
    return replace(Counts(requests, errors, invalid, tuple(latency)), outputs=bins)
