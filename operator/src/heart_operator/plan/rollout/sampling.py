"""When the traffic is analyzed, and how a sample is recorded."""

from datetime import datetime, timedelta

from heart_api.durations import seconds
from heart_api.heartmodel import AnalysisStatus, CandidateStatus, HeartModel, MirrorStatus
from heart_api.status import PostPromotionStatus
from heart_api.times import read
from heart_operator.plan.analysis.verdict import analyse_candidate
from heart_operator.plan.observed import MirrorCounts, Observed


def is_interval_due(model: HeartModel, now: datetime) -> bool:
    """Whether the metrics are to be read now: a candidate gets requests, or a promotion is still being watched."""
    due = next_analysis_time(model)
    return due is not None and now >= due


def next_analysis_time(model: HeartModel) -> datetime | None:
    """When the next sample is due; None if nothing is analyzed."""
    last = last_analysis_time(model)
    return last + timedelta(seconds=seconds(model.spec.rollout.analysis.interval)) if last else None


def last_analysis_time(model: HeartModel) -> datetime | None:
    """The last one, or the moment from which on there was something to see."""
    return min(map(read, (*last_of_candidate(model), *last_of_watch(model))), default=None)


def next_analysis_after(model: HeartModel, now: datetime) -> datetime | None:
    """When to sample again; a sample that was due and had no data is repeated after an interval."""
    due = next_analysis_time(model)
    if due is None or due > now:
        return due
    return now + timedelta(seconds=seconds(model.spec.rollout.analysis.interval))


def last_of_candidate(model: HeartModel) -> tuple[str, ...]:
    candidate = model.status.candidate
    if candidate is None or not has_traffic(model, candidate):
        return ()
    return (candidate.analysis.time if candidate.analysis else candidate.since,)


def last_of_watch(model: HeartModel) -> tuple[str, ...]:
    serving = model.status.serving
    if serving is None or model.status.previous is None:
        return ()
    return (serving.post_promotion_analysis.time if serving.post_promotion_analysis else serving.since,)


def has_traffic(model: HeartModel, candidate: CandidateStatus) -> bool:
    mirrored = model.spec.rollout.mirror.percent > 0 and candidate.phase != "Starting"
    return candidate.actual_weight > 0 or mirrored


def is_news(found: AnalysisStatus | PostPromotionStatus, last: AnalysisStatus | PostPromotionStatus | None) -> bool:
    """False for an interval without requests that changes no verdict: it needs no write."""
    if last is None:
        return True
    kept = {name: getattr(last, name) for name in ("time", "intervals") if hasattr(last, name)}
    return found.model_copy(update=kept) != last


def with_analysis(observed: Observed, status: CandidateStatus, now: datetime) -> CandidateStatus:
    """The candidate's status with the latest analysis interval, if there was one."""
    sample, noted = observed.sample, observed.model.status.candidate
    if sample is None or noted is None or noted.version != status.version or not has_traffic(observed.model, noted):
        return status
    if status.analysis and sample.error is None and sample.candidate.requests == 0:
        return status  # the same evidence once more is no second bad look
    found = analyse_candidate(observed.model.spec.rollout.analysis, status.analysis, sample, now)
    changes: dict[str, object] = {"analysis": found if is_news(found, status.analysis) else status.analysis}
    if observed.model.spec.rollout.mirror.percent:
        changes["mirror"] = with_mirrored(status.mirror or MirrorStatus(), sample.mirror)
    return status.model_copy(update=changes)


def with_mirrored(before: MirrorStatus, seen: MirrorCounts) -> MirrorStatus:
    return MirrorStatus(
        compared=before.compared + seen.compared,
        different=before.different + seen.different,
        failed=before.failed + seen.failed,
        max_difference=max(before.max_difference, seen.max_difference),
    )
