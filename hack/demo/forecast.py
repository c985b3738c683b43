"""How long the demo will still take: the stages' measured times, scaled by this machine's speed so far."""

import time
from collections.abc import Callable, Mapping

from hack.cluster.gobuild import about
from hack.cluster.report import say

FIRST = {"cluster": 480.0, "images": 45.0, "chart": 30.0, "model": 60.0}
"""Seconds on two idle cores with an empty cache, from measured processor time. `cluster` also builds the images."""
LATER = {"cluster": 20.0, "images": 10.0, "chart": 45.0, "model": 90.0}
"""The same with everything built; `model` also covers a rollout where one is under way."""


def stages(first: bool) -> Mapping[str, float]:
    """Expected seconds by stage, in order."""
    return FIRST if first else LATER


class Forecast:
    """Says after each stage how much is left."""

    def __init__(self, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._expected, self._clock = expected, clock
        self._started = clock()
        say(f"this takes {about(sum(expected.values()))} on two idle cores")

    def finished(self, stage: str) -> None:
        """The stage has ended, and with it those before it."""
        say(f"{about(self.left(stage))} left")

    def left(self, stage: str) -> float:
        """Seconds that the stages after this one will take, if they are as slow here as those until now."""
        names = list(self._expected)
        reached = names.index(stage) + 1
        done = sum(self._expected[name] for name in names[:reached])
        slowness = max(1.0, (self._clock() - self._started) / done)
        return slowness * sum(self._expected[name] for name in names[reached:])
