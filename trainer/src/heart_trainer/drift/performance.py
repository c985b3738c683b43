"""Is a version still as good as it should be? From outcomes that came in, or from its probabilities alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from heart_api.retrainschedule import PerformanceCheck
from heart_api.schedulestatus import PerformanceStatus
from heart_log.quality import Figure, estimate, measure
from heart_log.values import Scored

BASIS = {"Feedback": "outcomes", "Estimated": "predictions"}


def judge_performance(
    rows: Sequence[Scored], labels: Sequence[str], check: PerformanceCheck, version: str, until: datetime
) -> PerformanceStatus:
    """The finding for the status. `Below` needs the whole interval beyond the threshold; chance alone does not train.

    `rows`: of the window; `labels`: names of the classes, none for regression.
    """
    figures = measure(rows, labels) if check.source == "Feedback" else estimate(rows, labels)
    figure = figures.get(check.metric)
    known = {"time": f"{until:%Y-%m-%dT%H:%M:%SZ}", "version": version, "metric": check.metric, "source": check.source}
    if figure is None or figure.rows < check.min_samples:
        return PerformanceStatus(
            **known,
            verdict="InsufficientSamples",
            samples=figure.rows if figure else 0,
            message=too_few(figure, len(labels), check, version),
        )
    return PerformanceStatus(
        **known,
        verdict=verdict_on(figure, check),
        value=round(figure.value, 4),
        low=round(figure.low, 4),
        high=round(figure.high, 4),
        samples=figure.rows,
        message=describe(figure, check, version),
    )


def verdict_on(figure: Figure, check: PerformanceCheck) -> Literal["Acceptable", "Below", "Uncertain"]:
    """Beyond the threshold: an error above it, a share below it."""
    if check.above is not None:
        surely, maybe = figure.low > check.above, figure.value > check.above
    else:
        assert check.below is not None, "the API server admits no check without a threshold"
        surely, maybe = figure.high < check.below, figure.value < check.below
    return "Below" if surely else "Uncertain" if maybe else "Acceptable"


def too_few(figure: Figure | None, classes: int, check: PerformanceCheck, version: str) -> str:
    if (check.above is None) == (not classes):
        return f"{check.metric} is for {'classification' if not classes else 'regression'}: choose another metric"
    count = figure.rows if figure else 0
    return (
        f"{count} {BASIS[check.source]} for version {version} in {check.window} are too few to say anything of its"
        f" {check.metric}; {check.min_samples} are needed (performance.minSamples)"
    )


def describe(figure: Figure, check: PerformanceCheck, version: str) -> str:
    """`accuracy of version 7 is 0.71 (0.66 to 0.76, 300 outcomes), below 0.75 but not for certain`."""
    how = "is" if check.source == "Feedback" else "is estimated to be"
    basis = f"{figure.low:.3f} to {figure.high:.3f}, {figure.rows} {BASIS[check.source]}"
    told = f"{check.metric} of version {version} {how} {figure.value:.3f} ({basis})"
    threshold = f"above {check.above:g}" if check.above is not None else f"below {check.below:g}"
    verdict = verdict_on(figure, check)
    if verdict == "Acceptable":
        return f"{told}, not {threshold}"
    return f"{told}, {threshold}" + ("" if verdict == "Below" else " but not for certain")
