"""One check of a gate: a bound on a metric, on its difference to the serving version, or on the gap between slices."""

from dataclasses import dataclass
from math import isfinite

from heart_api.evaluation import Difference, Estimate, Evaluation, ServingReference, Verdict
from heart_api.heartmodel import GateCheck
from heart_operator.plan.gates.messages import bounds_message, gap_message, other_version, regression_message

LOWER_IS_BETTER = frozenset({"brier", "ece", "log_loss", "rmse", "mae"})
NEEDS_CALIBRATION_EVENTS = frozenset({"ece", "calibration_slope"})
MIN_ROWS = 50
MIN_EVENTS = 20
MIN_CALIBRATION_EVENTS = 100
"""Below about 100 events no claim about calibration is made (Collins et al. 2016, doi:10.1002/sim.6787)."""
MIN_GROUP_ROWS = 20
MIN_GROUP_EVENTS = 5


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`message` says what the verdict rests on."""

    metric: str
    verdict: Verdict
    message: str


def judge_check(check: GateCheck, evaluation: Evaluation, serving: ServingReference | None) -> CheckResult:
    if check.max_regression is not None:
        return judge_regression(check.metric, check.max_regression, evaluation, serving)
    if check.max_gap is not None:
        return judge_gap(check.metric, check.max_gap, check.slice, evaluation)
    return judge_bounds(check, evaluation)


def judge_bounds(check: GateCheck, evaluation: Evaluation) -> CheckResult:
    """`min` and `max` hold for the estimate; its interval is shown beside it."""
    figure = evaluation.metrics.get(check.metric)
    if figure is None:
        return unknown(check.metric, f"the evaluation has no {check.metric}; remove the check or train again")
    bound = next(value for value in (check.min, check.max, 0.0) if value is not None)
    if not is_number(figure.estimate, figure.low, figure.high, bound):
        return CheckResult(check.metric, "Failed", f"{check.metric} is not a number")
    if lack := lacking(check.metric, figure, evaluation):
        return unknown(check.metric, lack)
    low_enough = check.max is None or figure.estimate <= check.max
    high_enough = check.min is None or figure.estimate >= check.min
    verdict: Verdict = "Passed" if low_enough and high_enough else "Failed"
    return CheckResult(check.metric, verdict, bounds_message(check, figure))


def judge_regression(
    metric: str, margin: float, evaluation: Evaluation, serving: ServingReference | None
) -> CheckResult:
    """Non-inferiority: passed when even the worse end of the interval stays within the margin."""
    if serving is None:
        return CheckResult(metric, "Passed", f"{metric}: nothing to compare with")
    comparison = evaluation.comparison
    difference = comparison.metrics.get(metric) if comparison else None
    if comparison is None or difference is None:
        return unknown(metric, f"it was not compared with version {serving.version}, which serves; train again")
    if comparison.against != serving:
        return unknown(metric, other_version(comparison, serving))
    if not is_number(difference.difference, difference.low, difference.high, difference.candidate, margin):
        return CheckResult(metric, "Failed", f"{metric}: the comparison is not a number")
    if lack := lacking(metric, difference, evaluation):
        return unknown(metric, lack)
    worst, best = better_ends(metric, difference)
    verdict = three_valued(passed=worst >= -margin, failed=best < -margin)
    return CheckResult(metric, verdict, regression_message(metric, verdict, margin, difference))


def judge_gap(metric: str, bound: float, feature: str | None, evaluation: Evaluation) -> CheckResult:
    """The greatest difference between two groups of a sensitive feature."""
    gap = next((gap for gap in evaluation.gaps if (gap.feature, gap.metric) == (feature, metric)), None)
    if gap is None:
        return unknown(metric, f"the evaluation has no {metric} by {feature}; remove the check or train again")
    figure = gap.gap
    if not is_number(figure.estimate, figure.low, figure.high, bound):
        return CheckResult(metric, "Failed", f"{metric} by {feature}: the gap is not a number")
    enough = figure.n >= MIN_GROUP_ROWS and (
        evaluation.task == "regression" or (figure.events or 0) >= MIN_GROUP_EVENTS
    )
    verdict = three_valued(passed=figure.estimate <= bound and enough, failed=figure.low > bound)
    return CheckResult(metric, verdict, gap_message(gap, verdict, bound))


def three_valued(*, passed: bool, failed: bool) -> Verdict:
    if failed:
        return "Failed"
    return "Passed" if passed else "InsufficientEvidence"


def lacking(metric: str, figure: Estimate | Difference, evaluation: Evaluation) -> str:
    """What the evidence lacks for this claim; empty when it suffices."""
    if figure.n < MIN_ROWS:
        return f"{figure.n} rows are too few for a verdict, {MIN_ROWS} are needed"
    if evaluation.task == "regression":
        return ""
    needed = MIN_CALIBRATION_EVENTS if metric in NEEDS_CALIBRATION_EVENTS else MIN_EVENTS
    if (figure.events or 0) < needed:
        return f"{figure.events or 0} events (rows of the rarer class) are too few for a verdict, {needed} are needed"
    return ""


def better_ends(metric: str, difference: Difference) -> tuple[float, float]:
    """Bounds of the interval, with higher as better: (worst, best)."""
    if metric in LOWER_IS_BETTER:
        return -difference.high, -difference.low
    return difference.low, difference.high


def is_number(*values: float) -> bool:
    return all(isfinite(value) for value in values)


def unknown(metric: str, message: str) -> CheckResult:
    return CheckResult(metric, "InsufficientEvidence", f"{metric}: {message}")
