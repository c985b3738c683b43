"""Whether the version that was promoted last keeps within the critical alert bounds, while the previous one is warm."""

from datetime import datetime

from heart_api.heartmodel import Alerts
from heart_api.status import PostPromotionStatus
from heart_api.times import written
from heart_operator.plan.analysis.shares import ShareCheck, describe_share, error_check, is_worse, latency_check, weigh
from heart_operator.plan.observed import AnalysisSample


def analyse_serving(
    alerts: Alerts, last: PostPromotionStatus | None, sample: AnalysisSample, now: datetime
) -> PostPromotionStatus:
    """The post-promotion analysis with one more interval; it fails while errors or latency exceed a critical bound
    beyond doubt.

    `sample.stable` counts the version's responses since the last interval. An interval without data (`sample.error`)
    neither resets nor increases the consecutive failures.
    """
    before = last or PostPromotionStatus(time=written(now))
    if sample.error is not None:
        message = f"the metrics cannot be read: {sample.error}"
        return before.model_copy(update={"time": written(now), "message": message})
    if sample.stable.requests == 0:  # the same evidence again is no second failure
        return before.model_copy(
            update={"time": written(now), "message": before.message if before.consecutive_failures else ""}
        )
    errors, latency = error_check(alerts.error_rate.critical), latency_check(alerts.latency_p95.critical)
    evidence = dict(before.evidence)
    evidence |= weigh(errors, evidence, before.requests, sample.stable)
    evidence |= weigh(latency, evidence, before.predictions, sample.stable)
    complaints = [complain(check, sample) for check in (errors, latency) if is_worse(check, evidence, compared=False)]
    slow = latency.measure(sample.stable)
    return PostPromotionStatus(
        time=written(now),
        consecutive_failures=before.consecutive_failures + 1 if complaints else 0,
        message="; ".join(complaints),
        requests=before.requests + sample.stable.requests,
        errors=before.errors + sample.stable.errors,
        predictions=before.predictions + slow.n,
        slow=before.slow + slow.bad,
        evidence=evidence,
    )


def complain(check: ShareCheck, sample: AnalysisSample) -> str:
    measured = describe_share(check, check.measure(sample.stable))
    return f"{check.name}: {measured}, the critical threshold is {check.limit:.2%}"
