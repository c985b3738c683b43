"""Ten times more than a server can do: how much it still answers, and how soon it refuses the rest."""

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.load import Result, generate, generate_paced
from benchmarks.measure import CONNECTIONS, Effort, running
from benchmarks.models import BenchModel

FACTORS = (1, 2, 5, 10)
PACED_CONNECTIONS = 512


@dataclass(frozen=True)
class Crowd:
    """Requests at a multiple of the capacity."""

    factor: int
    result: Result
    peak: float
    """Requests/s of the model alone just before and after, the mean: a machine does not keep its pace for a minute."""

    @property
    def goodput(self) -> float:
        """Answers, as a share of the peak."""
        return self.result.rate / self.peak

    def rejected_within(self, share: float) -> float | None:
        """Seconds; None when nothing was refused."""
        rejected = sorted(self.result.rejected)
        return rejected[int(share * (len(rejected) - 1))] if rejected else None


@dataclass(frozen=True)
class Overload:
    capacity: float
    """Requests/s of the slow model."""
    crowds: list[Crowd]
    """Paced: nobody waits for an answer to send more."""
    crowded: float
    """Answers/s of a quick model to ten times the usual connections, as a share of those to the usual ones."""


def measure_overload(contender: Contender, quick: BenchModel, slow: BenchModel, effort: Effort) -> Overload:
    with tempfile.TemporaryDirectory() as folder, running(contender, quick, Path(folder)) as (_, port, _cold):
        request = contender.request(quick, 1)
        generate(port, request, CONNECTIONS, effort.warm_up)
        usual, many = (generate(port, request, CONNECTIONS * times, effort.full).rate for times in (1, 10))
    with tempfile.TemporaryDirectory() as folder, running(contender, slow, Path(folder)) as (_, port, _cold):
        request = contender.request(slow, 1)
        generate(port, request, CONNECTIONS, effort.warm_up)
        peaks, results = [generate(port, request, CONNECTIONS, effort.full).rate], []
        for factor in FACTORS:
            results.append(generate_paced(port, request, peaks[0] * factor, effort.full, PACED_CONNECTIONS))
            peaks.append(generate(port, request, CONNECTIONS, effort.full).rate)
    beside = [(before + after) / 2 for before, after in pairwise(peaks)]
    crowds = [Crowd(*each) for each in zip(FACTORS, results, beside, strict=True)]
    return Overload(peaks[0], crowds, many / usual)
