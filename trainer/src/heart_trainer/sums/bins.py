"""Bins: of a number whose range is not known yet, of a feature's values, and of a probability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COARSE_BITS = 12
COARSE = 1 << COARSE_BITS
"""Bins by sign, exponent and three bits of the mantissa of a float32: an eighth wide, whatever the unit."""
FINE = 2048
GRIDS = (1.0, 0.1, 0.01)
"""Steps between values that measurements are commonly rounded to."""
CENTRAL = (0.001, 0.999)
FAR = 20
"""A range so many times that of the central 99.8% has outliers: they are counted in the outermost bins."""


def coarse_code(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Bin of each float32, in ascending order of the values; NaN is not allowed."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return (ordered >> np.uint32(32 - COARSE_BITS)).astype(np.int64)


def coarse_edges(code: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(least, greatest) float32 of each bin."""
    low = (code.astype(np.uint64) << np.uint64(32 - COARSE_BITS)).astype(np.uint32)
    high = low | np.uint32((1 << (32 - COARSE_BITS)) - 1)
    return _value(low), _value(high)


def _value(ordered: NDArray[np.uint32]) -> Floats:
    bits = np.where(ordered >> 31, ordered & np.uint32((1 << 31) - 1), ~ordered)
    values = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    greatest = float(np.finfo(np.float32).max)
    return np.clip(np.nan_to_num(values, nan=0.0), -greatest, greatest)


@dataclass(frozen=True)
class Axis:
    """`bins` bins of equal width from `low`; what lies beyond is counted in the outermost.

    `exact`: each bin holds one value only, its middle.
    """

    low: float
    width: float
    bins: int
    exact: bool

    def place(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """Bin of each value."""
        place = np.floor((values.astype(np.float64) - self.low) / self.width)
        return np.clip(place, 0, self.bins - 1).astype(np.int64)

    @property
    def centre(self) -> float:
        return self.low + self.width * self.bins / 2

    def ordered(self, counts: NDArray[np.int64], rank: NDArray[np.int64]) -> Floats:
        """The values at these ranks (from 0) of `counts` values; evenly spread over a bin that is not exact."""
        upper = np.cumsum(counts)
        place = np.searchsorted(upper, rank, side="right")
        inside = 0.5 if self.exact else (rank - (upper - counts)[place] + 0.5) / counts[place]
        return np.asarray(self.low + self.width * (place + inside))

    def quantiles(self, counts: NDArray[np.int64], shares: Floats) -> Floats:
        """As numpy's: between the two nearest ranks. `counts` [bins] must not be all zero."""
        rank = shares * (int(counts.sum()) - 1)
        below, above = np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)
        low = self.ordered(counts, below)
        return np.asarray(low + (rank - below) * (self.ordered(counts, above) - low))


def on_grids(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """[GRIDS]: how many values are multiples of each grid's step, as far as float32 can say."""
    near = 2 * np.spacing(np.abs(values)).astype(np.float64)
    apart = [np.abs(values - step * np.round(values.astype(np.float64) / step)) for step in GRIDS]
    return np.array([int((distance <= near).sum()) for distance in apart])


def axis_of(coarse: NDArray[np.int64], grids: NDArray[np.int64], minimum: float | None, maximum: float | None) -> Axis:
    """An axis for values counted by `coarse_code` [COARSE] and `on_grids`.

    `minimum` and `maximum` of the contract narrow it where they are known.
    """
    codes = np.flatnonzero(coarse)
    if not len(codes):
        return Axis(0.0, 1.0, 1, True)
    low, high = (float(edge[0]) for edge in (coarse_edges(codes[:1])[0], coarse_edges(codes[-1:])[1]))
    reach = np.cumsum(coarse[codes]) / coarse.sum()
    inner_low = float(coarse_edges(codes[np.searchsorted(reach, CENTRAL[0])][None])[0][0])
    inner_high = float(coarse_edges(codes[np.searchsorted(reach, CENTRAL[1])][None])[1][0])
    spread = max(inner_high - inner_low, abs(inner_high) * 1e-6, 1e-30)
    if high - low > FAR * spread:
        low, high = max(low, inner_low - spread), min(high, inner_high + spread)
    low = low if minimum is None else max(low, minimum)
    high = high if maximum is None else min(high, maximum)
    return span(low, max(high, low), [step for step, count in zip(GRIDS, grids, strict=True) if count == coarse.sum()])


def span(low: float, high: float, steps: Sequence[float]) -> Axis:
    """An axis from `low` to `high`. `steps`: of grids that every value is on; a bin for each value if there is room."""
    for step in steps:
        first, last = int(np.floor(low / step)), int(np.ceil(high / step))
        if last - first < FINE:
            return Axis((first - 0.5) * step, step, last - first + 1, True)
    if high <= low:
        return Axis(low - 0.5, 1.0, 1, True)
    return Axis(low, (high - low) / FINE, FINE, False)


def probability_edges() -> Floats:
    """Lower ends of the bins of a probability: thousandths at least, and finer towards 0 and 1, for rare events."""
    rare = np.logspace(-6, -2, 201)[:-1]
    quarters, halves = np.arange(40, 160) / 4000, np.arange(80, 200) / 2000
    middle = np.arange(100, 901) / 1000
    upper = np.concatenate([(2000 - np.arange(80, 200)) / 2000, (4000 - np.arange(40, 160)) / 4000, 1 - rare])
    return np.concatenate([[0.0], rare, quarters, halves, middle, np.sort(upper)])


EDGES = probability_edges()
SCORES = len(EDGES)
"""Number of bins of a probability."""


def score_bin(probability: Floats) -> NDArray[np.int64]:
    """Bin of each probability; a threshold of whole thousandths is always the lower end of one."""
    return np.asarray(np.searchsorted(EDGES, probability, side="right") - 1)
