"""What a run found: latency percentiles, throughput, and failures by version."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

from heart_cli.listing import add, plain_table

NO_VERSION = "none"
SHOWN_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request."""

    version: str
    """The version that answered; empty where no serving pod did."""
    seconds: float
    problem: str = ""
    """Why there is no prediction; empty: there is one."""


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank: the least value with at least `percent` % of all values at or below it. `values` ascend."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def headline(outcomes: Sequence[Outcome], seconds: float, rate: float) -> str:
    """`1000 requests in 12.5 s (80.0/s), 2 failed`, and whether the wanted rate was kept."""
    reached = len(outcomes) / seconds if seconds else 0.0
    failed = sum(1 for outcome in outcomes if outcome.problem)
    text = f"{len(outcomes)} requests in {seconds:.1f} s ({reached:.1f}/s), {failed} failed"
    if rate and len(outcomes) > 1 and reached < 0.9 * rate:
        text += f"; the rate of {rate:g}/s was not reached: add connections (--concurrency) or lower it"
    return text


def results_table(outcomes: Sequence[Outcome]) -> Table:
    """A row for each version, and one for all; latency is that of predictions alone."""
    table = plain_table("VERSION", "REQUESTS", "SHARE", "FAILED", "P50", "P95", "P99", "MAX")
    versions = sorted({outcome.version for outcome in outcomes}, key=lambda each: (not each, len(each), each))
    for version in versions:
        found = [outcome for outcome in outcomes if outcome.version == version]
        add(table, version or NO_VERSION, *cells(found, len(outcomes)))
    if len(versions) != 1:
        add(table, "all", *cells(outcomes, len(outcomes)))
    return table


def cells(outcomes: Sequence[Outcome], total: int) -> list[str]:
    failed = sum(1 for outcome in outcomes if outcome.problem)
    share = len(outcomes) / total if total else 0.0
    return [str(len(outcomes)), f"{share:.0%}", failures(failed, len(outcomes)), *latencies(outcomes)]


def failures(failed: int, total: int) -> str:
    """`2 (1.5%)`; without the share when there are none."""
    return f"{failed} ({failed / total:.1%})" if failed else "0"


def latencies(outcomes: Iterable[Outcome]) -> list[str]:
    """p50, p95, p99 and the greatest."""
    values = sorted(outcome.seconds for outcome in outcomes if not outcome.problem)
    if not values:
        return ["-"] * 4
    return [milliseconds(percentile(values, percent)) for percent in (50, 95, 99, 100)]


def milliseconds(seconds: float) -> str:
    """Three digits are enough: `4.21 ms`, `42.1 ms`, `421 ms`."""
    value = seconds * 1000
    return f"{value:.{max(0, 2 - int(math.log10(max(value, 1))))}f} ms"


def problem_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """`3 × version 7: 500 Internal Server Error`, the most frequent first."""
    found = Counter((outcome.version, outcome.problem) for outcome in outcomes if outcome.problem)
    lines = [
        f"{number} × {f'version {version}: ' if version else ''}{problem}"
        for (version, problem), number in found.most_common(SHOWN_PROBLEMS)
    ]
    left = sum(found.values()) - sum(number for _, number in found.most_common(SHOWN_PROBLEMS))
    return [*lines, f"{left} others"] if left else lines
