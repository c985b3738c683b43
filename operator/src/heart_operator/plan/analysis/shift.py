"""Whether two versions' outputs have the same distribution: the population stability index (PSI) and its uncertainty.

PSI = Σ (q - p) ln(q / p) over bins, p the stable version's shares and q the candidate's. By chance alone it is about
(bins - 1)(1/m + 1/n) for equal versions: that bias is subtracted. Its standard error is that of the delta method and,
near zero, of the chi-square distribution. Bounds hold at all sample sizes together (asymptotic confidence sequence:
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 2024), so that frequent evaluation is valid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log, sqrt

from heart_operator.plan.analysis.counts import Counts

BINS = 10
MIN_OUTPUTS = 30
"""Fewer independent outputs of either version bear no statement."""
TIGHTEST = 200
"""Sample size at which the bounds are tightest."""

Pair = tuple[int, int]
"""Outputs of the stable version and of the candidate in one bin."""


@dataclass(frozen=True, slots=True)
class Shift:
    """PSI without its bias, and its bounds."""

    value: float
    low: float
    high: float


def prediction_shift(stable: Counts, candidate: Counts, *, alpha_low: float, alpha_high: float) -> Shift | None:
    """Confidence bounds; each fails in any interval with probability of at most its alpha. None: too few outputs."""
    sizes = stable.sized, candidate.sized
    if min(sizes) < MIN_OUTPUTS:
        return None
    pairs = merge_bins(stable.outputs, candidate.outputs)
    size = 1 / (1 / sizes[0] + 1 / sizes[1])
    raw, variance = stability_index(pairs, *sizes)
    free = len(pairs) - 1
    value = raw - free / size
    error = sqrt(variance + 2 * free / size**2)
    return Shift(value, lower(value, factor(size, alpha_low) * error), value + factor(size, alpha_high) * error)


def lower(value: float, margin: float) -> float:
    """The bound is set on the square root, whose spread hardly depends on how large the shift is."""
    root = sqrt(max(value, 0.0))
    return max(0.0, root - margin / (2 * root)) ** 2 if root else 0.0


def stability_index(pairs: Sequence[Pair], stable_size: int, candidate_size: int) -> tuple[float, float]:
    """PSI and its variance; half an output is added to each bin, so that an empty one is not infinitely far."""
    stable, candidate = shares([pair[0] for pair in pairs]), shares([pair[1] for pair in pairs])
    both = list(zip(stable, candidate, strict=True))
    index = sum((q - p) * log(q / p) for p, q in both)
    # The derivatives but for a constant, which has no variance.
    by_candidate = spread(candidate, [log(q / p) - p / q for p, q in both])
    by_stable = spread(stable, [log(p / q) - q / p for p, q in both])
    return index, by_candidate / candidate_size + by_stable / stable_size


def shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts) + len(counts) / 2
    return [(count + 0.5) / whole for count in counts]


def spread(weights: Sequence[float], values: Sequence[float]) -> float:
    """Variance of a value drawn with these probabilities."""
    mean = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return sum(weight * (value - mean) ** 2 for weight, value in zip(weights, values, strict=True))


def factor(size: float, alpha: float, tightest: float = TIGHTEST) -> float:
    """Standard errors from the estimate to a bound that holds at every sample size; the smallest near `tightest`."""
    known = size / tightest * tightness(alpha)
    return sqrt((1 + 1 / known) * log((1 + known) / alpha**2))


def tightness(alpha: float) -> float:
    """Where the factor is smallest, to first order."""
    return 2 * log(1 / alpha) + log(1 + 2 * log(1 / alpha))


def merge_bins(stable: Mapping[str, int], candidate: Mapping[str, int]) -> list[Pair]:
    """Neighbouring bins together, until each holds about a tenth of the two versions' outputs."""
    wholes = sum(stable.values()), sum(candidate.values())
    merged: list[Pair] = []
    mass, one, other = 0.0, 0, 0
    for name in in_order(stable, candidate):
        pair = stable.get(name, 0), candidate.get(name, 0)
        one, other = one + pair[0], other + pair[1]
        mass += pair[0] / wholes[0] + pair[1] / wholes[1]
        if mass >= 2 / BINS:
            merged.append((one, other))
            mass, one, other = 0.0, 0, 0
    if one or other:
        last = merged.pop()
        merged.append((last[0] + one, last[1] + other))
    return merged


def in_order(stable: Mapping[str, int], candidate: Mapping[str, int]) -> list[str]:
    """Edges by size; classes by how frequent they are with the stable version, so that only rare ones are merged."""
    names = {*stable, *candidate}
    edges = {name: edge for name in names if (edge := number(name)) is not None}
    if len(edges) == len(names):
        return sorted(names, key=lambda name: (edges[name], name))
    return sorted(names, key=lambda name: (-stable.get(name, 0), name))


def number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
