"""After a promotion: while the version before is warm, one that turns bad is taken back."""

from dataclasses import dataclass
from datetime import datetime

from heart_api.heartmodel import Alerts, RejectedStatus
from heart_api.names import Reason
from heart_api.status import PostPromotionStatus
from heart_operator.plan.analysis.watch import analyse_serving
from heart_operator.plan.observed import Observed
from heart_operator.plan.rollout.sampling import is_news
from heart_operator.plan.selection.rejections import reject, with_rejection
from heart_operator.plan.versions import Version, deployment_of


@dataclass(frozen=True, slots=True)
class Watched:
    """The post-promotion analysis after this interval, and the rejections, with the serving version's if it failed."""

    status: PostPromotionStatus | None
    rejected: tuple[RejectedStatus, ...]


def watch_stable(
    observed: Observed,
    stable: Version | None,
    rejected: tuple[RejectedStatus, ...],
    now: datetime,
    *,
    has_way_back: bool,
) -> Watched:
    """Analyze one interval, if one is due. The analysis ends with the rollback window."""
    status = observed.model.status
    if stable is None or status.serving is None or status.serving.version != stable.version or status.previous is None:
        return Watched(None, rejected)
    last = status.serving.post_promotion_analysis
    if observed.sample is None:
        return Watched(last, rejected)
    watch = with_dead_pods(observed, stable, last, analyse_serving(alerts(observed), last, observed.sample, now))
    if not is_news(watch, last):
        return Watched(last, rejected)
    limit = observed.model.spec.rollout.analysis.failure_limit
    if watch.consecutive_failures <= limit or not has_way_back:
        return Watched(watch, rejected)
    message = f"{watch.message} ({watch.consecutive_failures} consecutive failures after its promotion)"
    entry = reject(stable, Reason.ROLLED_BACK, message, now)
    return Watched(None, with_rejection(rejected, entry, observed.model.spec.rollout.history_limit))


def with_dead_pods(
    observed: Observed, stable: Version, last: PostPromotionStatus | None, watch: PostPromotionStatus
) -> PostPromotionStatus:
    """A version without a ready pod has no metrics that could speak against it."""
    deployment = deployment_of(observed, stable)
    if deployment is None or deployment.ready > 0 or deployment.replicas == 0:
        return watch
    problem = f": {deployment.problem}" if deployment.problem else ""
    failures = (last.consecutive_failures if last else 0) + 1
    return watch.model_copy(update={"consecutive_failures": failures, "message": f"none of its pods is ready{problem}"})


def alerts(observed: Observed) -> Alerts:
    return observed.model.spec.monitoring.alerts
