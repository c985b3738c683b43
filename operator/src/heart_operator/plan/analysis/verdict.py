"""The verdict on a candidate's traffic, interval by interval: Passed, Failed or Inconclusive.

A candidate fails a check when it is worse than allowed beyond doubt, at any number of requests; it passes when a
candidate twice as bad as allowed would be unlikely to produce these data. Otherwise, and whenever data are missing, the
verdict is Inconclusive.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from heart_api.heartmodel import Analysis, AnalysisStatus
from heart_api.times import written
from heart_operator.plan.analysis.accuracy import judge_accuracy
from heart_operator.plan.analysis.counts import Counts
from heart_operator.plan.analysis.shares import (
    FALSE_ALARM,
    FALSE_PRAISE,
    CheckResult,
    Evidence,
    Verdict,
    judge_share,
    share_checks,
    weigh,
)
from heart_operator.plan.analysis.shift import MIN_OUTPUTS, Shift, prediction_shift
from heart_operator.plan.observed import AnalysisSample


@dataclass(frozen=True, slots=True)
class AnalysisVerdict:
    """All checks together; `message` tells those that decided."""

    verdict: Verdict
    message: str


def analyse_candidate(
    spec: Analysis, last: AnalysisStatus | None, sample: AnalysisSample, now: datetime
) -> AnalysisStatus:
    """The analysis with one more interval. `sample`: the responses of both versions since the last one.

    An interval without data (`sample.error`) neither resets nor increases the consecutive failures.
    """
    before = last or AnalysisStatus(time=written(now))
    seen = {"time": written(now), "intervals": before.intervals + 1}
    if sample.error is not None:
        blind = {"verdict": "Inconclusive", "message": f"the metrics cannot be read: {sample.error}"}
        return before.model_copy(update=seen | blind)
    evidence = gather(spec, before, sample)
    stable = Counts.load(before.stable) + sample.stable
    candidate = Counts.load(before.candidate) + sample.candidate
    found = judge_analysis(spec, stable, candidate, evidence, sample)
    note = f"; {sample.partial}" if sample.partial and found.verdict == "Inconclusive" else ""
    judged = {
        "consecutive_failures": before.consecutive_failures + 1 if found.verdict == "Failed" else 0,
        "verdict": found.verdict,
        "message": found.message + note,
        "stable": stable.dump(),
        "candidate": candidate.dump(),
        "evidence": evidence,
    }
    return before.model_copy(update=seen | judged)


def gather(spec: Analysis, before: AnalysisStatus, sample: AnalysisSample) -> dict[str, tuple[float, ...]]:
    """The bets of all checks after the sample."""
    evidence = dict(before.evidence)
    past = Counts.load(before.candidate)
    for check in share_checks(spec):
        evidence |= weigh(check, evidence, check.measure(past).n, sample.candidate, sample.stable)
    return evidence


def judge_analysis(
    spec: Analysis, stable: Counts, candidate: Counts, evidence: Evidence, sample: AnalysisSample
) -> AnalysisVerdict:
    """The verdict on all that was counted since the candidate got its first request, and on the bets about it.

    `sample`: the newest part of it.
    """
    checks = (
        enough_requests(spec, candidate),
        *(judge_share(check, evidence, stable, candidate, sample.candidate) for check in share_checks(spec)),
        judge_shift(spec, stable, candidate),
        *judge_accuracy(sample.stable_outcomes, sample.candidate_outcomes),
    )
    verdict = overall(checks)
    messages = dict.fromkeys(check.message for check in checks if check.verdict == verdict)
    return AnalysisVerdict(verdict, "; ".join(messages))


def overall(checks: Iterable[CheckResult]) -> Verdict:
    verdicts = {check.verdict for check in checks}
    if "Failed" in verdicts:
        return "Failed"
    return "Inconclusive" if "Inconclusive" in verdicts else "Passed"


def enough_requests(spec: Analysis, candidate: Counts) -> CheckResult:
    count, wanted = candidate.requests, spec.min_requests
    if count < wanted:
        return CheckResult("requests", "Inconclusive", f"requests: {count} of {wanted} (minRequests)")
    return CheckResult("requests", "Passed", f"requests: {count}")


def judge_shift(spec: Analysis, stable: Counts, candidate: Counts) -> CheckResult:
    """Passed when the shift is surely below twice the limit, as with the other checks."""
    name, limit = "prediction shift", spec.max_prediction_shift
    shift = prediction_shift(stable, candidate, alpha_low=FALSE_ALARM, alpha_high=FALSE_PRAISE)
    if shift is None:
        return CheckResult(name, "Inconclusive", f"{name}: {few_outputs(stable, candidate)}")
    said = f"{name}: {describe(shift)}, {limit:g} allowed"
    if shift.low > limit:
        return CheckResult(name, "Failed", said)
    if shift.high <= 2 * limit:
        return CheckResult(name, "Passed", said)
    return CheckResult(name, "Inconclusive", f"{said}: more requests are needed for a verdict")


def describe(shift: Shift) -> str:
    """What is left of the index once its bias is off may be below zero; to people that is none."""
    return f"{max(shift.value, 0):.2f} (between {shift.low:.2f} and {shift.high:.2f})"


def few_outputs(stable: Counts, candidate: Counts) -> str:
    return (
        f"{candidate.sized} predictions of the candidate and {stable.sized} of the stable version were counted,"
        f" {MIN_OUTPUTS} of each are required"
    )
