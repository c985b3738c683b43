"""Undeclared sentinels: 0, -1, -9, 99 or 999 for missing values, far from all other values."""

from collections.abc import Sequence
from itertools import pairwise

CODES = frozenset({-9999.0, -999.0, -99.0, -9.0, -1.0, 0.0, 99.0, 999.0, 9999.0, 99999.0})
USUAL = (0.0, -1.0)
"""Also natural: a count of none, a step below; suspicious only beside a measured quantity."""
MEASURED = 10
"""From so many other values on a column is measured rather than coded."""
FEWEST = 3
"""Rows that make a sentinel."""
NEIGHBOURS = 20
APART = 5
"""A sentinel is apart by this many times the usual step between its neighbours."""


def find_sentinels(values: Sequence[float], counts: Sequence[int]) -> list[tuple[float, int]]:
    """(value, rows) of each suspected sentinel; `values` ascending and distinct, `counts` how often each occurs.

    Several codes at one end (-9 and -99) are taken off from outside to inside.
    """
    low, high = 0, len(values)
    found: list[tuple[float, int]] = []
    while high - low > 1:
        rest = high - low - 1
        if _is_sentinel(values[low], counts[low], values[low + 1 : min(low + 2 + NEIGHBOURS, high)], rest):
            found.append((values[low], counts[low]))
            low += 1
        elif _is_sentinel(
            values[high - 1], counts[high - 1], _inwards(values, max(low, high - 2 - NEIGHBOURS), high), rest
        ):
            found.append((values[high - 1], counts[high - 1]))
            high -= 1
        else:
            break
    return sorted(found)


def _inwards(values: Sequence[float], start: int, stop: int) -> Sequence[float]:
    """From the last but one downwards."""
    return values[start : stop - 1][::-1]


def _is_sentinel(value: float, count: int, nearest: Sequence[float], rest: int) -> bool:
    """`nearest`: the other values from this end inwards."""
    if value not in CODES or count < FEWEST or rest < (MEASURED if value in USUAL else 2):
        return False
    steps = sorted(abs(after - before) for before, after in pairwise(nearest))
    usual = steps[len(steps) // 2]
    return abs(nearest[0] - value) >= APART * usual
