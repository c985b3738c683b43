"""What serving is measured against, and a plain sentence where it falls short."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contenders import ASGI, FASTAPI, OURS
from benchmarks.measure import Figures, half_busy
from benchmarks.overload import Overload

USUAL_RATE = 200
"""Predictions per second of one pod: the autoscaling target of the documents' examples."""
OWN = (OURS, FASTAPI, ASGI)


@dataclass(frozen=True)
class Goal:
    text: str
    bound: str
    figure: str
    met: bool
    why_not: str


@dataclass(frozen=True)
class Findings:
    """Everything that one run has measured."""

    figures: Sequence[Figures]
    absent: dict[str, str]
    """Servers that could not be installed or measured, and why."""
    installed: dict[str, float]
    """MB."""
    memory_with_log: tuple[float, float]
    """MB with the prediction log on: at the load that a pod is meant for, and after the greatest."""
    overload: Overload
    in_turns: dict[str, float]
    """Requests/s of ours over those of each empty server, one record."""

    def of(self, server: str, model: str = "logistic", records: int = 1) -> Figures:
        return next(f for f in self.figures if (f.server, f.model, f.records) == (server, model, records))

    def peers(self, model: str = "logistic", records: int = 1) -> list[Figures]:
        found = [f for f in self.figures if (f.model, f.records) == (model, records) and f.server not in OWN]
        return sorted(found, key=lambda figures: -figures.full.rate)


def judge(found: Findings) -> list[Goal]:
    ours = found.of(OURS)
    return [
        against(found, FASTAPI, 1.0, "the empty FastAPI route with the same body model"),
        against(found, ASGI, 0.7, "the empty ASGI app that parses the JSON"),
        *against_peers(found),
        goal(
            "p99 at half load, one record",
            ours.half_p99 * 1000,
            5.0,
            "ms",
            f"half load is no half: a request that wakes the server costs more than one of a row. {at_half(ours)};"
            f" {at_half(found.of(ASGI))}. What then stalls the machine makes a queue",
        ),
        goal("exec to the first answer", ours.cold, 2.0, "s", "starting Python and opening the model takes longer"),
        goal(
            f"resident memory at {USUAL_RATE} predictions/s, prediction log on",
            found.memory_with_log[0],
            120.0,
            "MB",
            "ONNX Runtime, numpy and FastAPI alone are 75 MB, and SQLAlchemy takes 20 MB once the log is written",
        ),
        goal("installed size", found.installed[OURS], 250.0, "MB", "the dependencies have grown"),
        *overload(found),
    ]


def goal(text: str, figure: float, bound: float, unit: str, why_not: str) -> Goal:
    digits = 2 if unit == "s" else 1 if unit == "ms" else 0
    return Goal(text, f"under {bound:g} {unit}", f"{figure:.{digits}f} {unit}", figure < bound, why_not)


def at_half(figures: Figures) -> str:
    """`HeartOps uses 93 µs in place of 42, which is 90% of its core, and has a p99 of 10.9 ms`."""
    return (
        f"{figures.server} uses {figures.half_cpu * 1e6:.0f} µs in place of {figures.cpu * 1e6:.0f}, which is"
        f" {half_busy(figures):.0%} of its core, and has a p99 of {figures.half_p99 * 1000:.1f} ms"
    )


def against(found: Findings, other: str, bound: float, name: str) -> Goal:
    ours, theirs = found.of(OURS), found.of(other)
    ratio = found.in_turns[other]
    why = (
        f"a prediction takes {ours.cpu * 1e6:.0f} µs of processor time, that one {theirs.cpu * 1e6:.0f} µs: the ONNX"
        " run, the contract check, id, counters and log line cost the rest, and none is left out for a benchmark"
    )
    return Goal(f"requests/s, one record, against {name}", f"at least {bound:g}×", f"{ratio:.2f}×", ratio >= bound, why)


def against_peers(found: Findings) -> list[Goal]:
    if not (peers := found.peers()):
        return []
    ratio = found.of(OURS).full.rate / peers[0].full.rate
    text = f"requests/s, one record, against the best peer ({peers[0].server})"
    return [Goal(text, "at least 10×", f"{ratio:.0f}×", ratio >= 10, "that peer has become quicker")]


def overload(found: Findings) -> list[Goal]:
    most = found.overload.crowds[-1]
    shares = [
        (f"answers to {most.factor} times the requests of its capacity, slow model", most.goodput),
        ("answers to ten times the connections, quick model", found.overload.crowded),
    ]
    why = "reading and refusing what is too much takes processor time from answers: they share one core here"
    goals = [Goal(text, "at least 90% of the peak", f"{share * 100:.0f}%", share >= 0.9, why) for text, share in shares]
    if (late := most.rejected_within(0.95)) is not None:
        goals.append(goal("time to a refusal (95 of 100)", late * 1000, 50.0, "ms", "one core answers and refuses"))
    return goals
