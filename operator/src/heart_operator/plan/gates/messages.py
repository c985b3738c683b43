"""Messages of gate checks: value, comparison, bound and evidence."""

from heart_api.evaluation import Comparison, Difference, Estimate, Gap, ServingReference, Verdict
from heart_api.heartmodel import GateCheck


def bounds_message(check: GateCheck, figure: Estimate) -> str:
    """`roc_auc 0.71 < 0.80 (n=303, 95% 0.65–0.77)`."""
    if check.max is not None and (check.min is None or figure.estimate > check.max):
        sign, bound = ("≤" if figure.estimate <= check.max else ">"), check.max
    else:
        bound = check.min if check.min is not None else 0.0
        sign = "≥" if figure.estimate >= bound else "<"
    value, limit = readable(figure.estimate, bound)
    return f"{check.metric} {value} {sign} {limit} {evidence(figure)}"


def regression_message(metric: str, verdict: Verdict, margin: float, difference: Difference) -> str:
    comparison = {"Passed": "is not worse", "Failed": "is worse", "InsufficientEvidence": "may be worse"}
    candidate, serving = readable(difference.candidate, difference.serving)
    return (
        f"{metric} {candidate} {comparison[verdict]} than the serving version's {serving} by more than {margin:g} "
        f"(difference {difference.difference:+.3f}, n={difference.n}, "
        f"95% CI {difference.low:+.3f} to {difference.high:+.3f})"
    )


def gap_message(gap: Gap, verdict: Verdict, bound: float) -> str:
    value, limit = readable(gap.gap.estimate, bound)
    sign = "≤" if gap.gap.estimate <= bound else ">"
    doubt = ", which the data cannot settle" if verdict == "InsufficientEvidence" else ""
    groups = " and ".join(gap.groups)
    return f"{gap.metric} differs by {value} {sign} {limit} between {gap.feature} {groups} {evidence(gap.gap)}{doubt}"


def other_version(comparison: Comparison, serving: ServingReference) -> str:
    return (
        f"it was compared with version {comparison.against.version} ({comparison.against.digest[:19]}), but version "
        f"{serving.version} ({serving.digest[:19]}) serves now; train again"
    )


def evidence(figure: Estimate) -> str:
    return f"(n={figure.n}, 95% CI {figure.low:.2f}–{figure.high:.2f})"


def readable(value: float, other: float) -> tuple[str, str]:
    """Both with two decimals, or with as many as it takes to tell them apart."""
    for digits in range(2, 7):
        texts = f"{value:.{digits}f}", f"{other:.{digits}f}"
        if texts[0] != texts[1] or value == other:
            return texts
    return repr(value), repr(other)
