"""How many requests one caller may send: token buckets, with the clock passed in and a bounded memory."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

MOST_KEYS = 4096


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, and `per_second` in the long run."""

    burst: int
    per_second: float


class Buckets:
    """One bucket for each key. A key that has not been seen for long is forgotten, full as its bucket is by then."""

    def __init__(self, rate: Rate, most: int = MOST_KEYS) -> None:
        self._rate = rate
        self._most = most
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, now: float) -> float:
        """Takes one token. 0: there was one; else the seconds until there is one."""
        left, seen = self._left.pop(key, (float(self._rate.burst), now))
        left = min(float(self._rate.burst), left + (now - seen) * self._rate.per_second)
        missing = max(0.0, 1.0 - left)
        self._left[key] = (left if missing else left - 1.0, now)
        while len(self._left) > self._most:
            self._left.popitem(last=False)
        return missing / self._rate.per_second

    def __len__(self) -> int:
        return len(self._left)
