"""When the traffic of a model is measured, and what of a measurement is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.heartmodel import AnalysisStatus, CandidateStatus, HeartModel, HeartModelStatus, MirrorStatus
from heart_api.status import PostPromotionStatus, PreviousStatus, ServingStatus
from heart_operator.plan.observed import AnalysisSample, MirrorCounts, Observed, Registry
from heart_operator.plan.rollout.sampling import (
    has_traffic,
    is_interval_due,
    is_news,
    last_analysis_time,
    next_analysis_after,
    next_analysis_time,
    with_analysis,
    with_mirrored,
)
from tests.support.plan.samples import BAD, GOOD, SILENT
from tests.support.plan.world import PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EARLIER, LATER, LATEST = "2026-01-01T11:00:00Z", "2026-01-01T11:59:30Z", "2026-01-01T11:59:45Z"
PREVIOUS = PreviousStatus(version="0", digest=sha("0"), warm_until="2026-01-01T12:30:00Z")


def candidate(**changes: Any) -> CandidateStatus:
    """With a tenth of the traffic, never measured."""
    values: dict[str, Any] = {"version": "2", "digest": sha("2"), "since": EARLIER, "phase": "Paused"}
    return CandidateStatus(**(values | {"actual_weight": 10} | changes))


def analysis(time: str = LATER, **changes: Any) -> AnalysisStatus:
    return AnalysisStatus(time=time, **changes)


def serving(time: str | None = None) -> ServingStatus:
    measured = PostPromotionStatus(time=time) if time else None
    return ServingStatus(version="1", digest=sha("1"), since=EARLIER, post_promotion_analysis=measured)


def model(mirror: int = 0, **status: Any) -> HeartModel:
    return heart_model({"rollout": {"mirror": {"percent": mirror}}}, status=HeartModelStatus(**status))


def observed(of: HeartModel, sample: AnalysisSample | None) -> Observed:
    return Observed(of, PROFILE, (), (), (), {}, Registry(), frozenset(), sample)


@pytest.mark.parametrize(
    ("of", "last"),
    [
        (model(), None),
        (model(candidate=candidate()), EARLIER),
        (model(candidate=candidate(analysis=analysis())), LATER),
        (model(candidate=candidate(actual_weight=0)), None),
        (model(serving=serving(), previous=PREVIOUS), EARLIER),
        (model(serving=serving(LATEST), previous=PREVIOUS), LATEST),
        (model(serving=serving(LATEST)), None),
        (model(previous=PREVIOUS), None),
        (model(serving=serving(LATEST), previous=PREVIOUS, candidate=candidate(analysis=analysis())), LATER),
        (model(serving=serving(LATER), previous=PREVIOUS, candidate=candidate(analysis=analysis(LATEST))), LATER),
    ],
)
def test_an_interval_after_the_last_measurement_the_next_is_due(of: HeartModel, last: str | None) -> None:
    begin = datetime.fromisoformat(last) if last else None
    due = begin + timedelta(seconds=30) if begin else None
    assert last_analysis_time(of) == begin
    assert next_analysis_time(of) == due
    assert not is_interval_due(of, (due or NOW) - timedelta(seconds=1))
    assert is_interval_due(of, due or NOW) == bool(due)


def test_a_measurement_that_was_due_is_repeated_after_an_interval() -> None:
    of = model(candidate=candidate(analysis=analysis()))
    due = datetime.fromisoformat(LATER) + timedelta(seconds=30)
    assert due == NOW
    assert next_analysis_after(of, NOW - timedelta(seconds=1)) == NOW
    assert next_analysis_after(of, NOW) == NOW + timedelta(seconds=30)
    assert next_analysis_after(model(), NOW) is None


@pytest.mark.parametrize(
    ("mirror", "changes", "traffic"),
    [
        (0, {"actual_weight": 1}, True),
        (0, {"actual_weight": 0}, False),
        (1, {"actual_weight": 0}, True),
        (1, {"actual_weight": 0, "phase": "Starting"}, False),
        (1, {"actual_weight": 1, "phase": "Starting"}, True),
    ],
)
def test_copies_are_traffic_once_it_has_started(mirror: int, changes: dict[str, Any], traffic: bool) -> None:
    assert has_traffic(model(mirror), candidate(**changes)) == traffic


def test_a_measurement_that_changes_nothing_is_no_news() -> None:
    last = analysis(intervals=3, message="requests: 5")
    assert is_news(last, None)
    assert not is_news(analysis(LATEST, intervals=4, message="requests: 5"), last)
    assert is_news(analysis(LATEST, intervals=4, message="requests: 6"), last)
    assert not is_news(PostPromotionStatus(time=LATEST), PostPromotionStatus(time=LATER))
    assert is_news(PostPromotionStatus(time=LATEST, requests=1), PostPromotionStatus(time=LATER))


def measured(status: CandidateStatus, sample: AnalysisSample | None, mirror: int = 0) -> CandidateStatus:
    return with_analysis(observed(model(mirror, candidate=status), sample), status, NOW)


def test_a_first_measurement_is_kept() -> None:
    found = measured(candidate(), GOOD).analysis
    assert found
    assert (found.time, found.intervals, found.candidate.requests) == ("2026-01-01T12:00:00Z", 1, 300)
    assert measured(candidate(), GOOD).mirror is None


def test_what_was_measured_adds_up() -> None:
    once = measured(candidate(), BAD)
    twice = measured(once, BAD).analysis
    assert twice
    assert (twice.intervals, twice.consecutive_failures, twice.candidate.requests) == (2, 2, 600)


@pytest.mark.parametrize(
    "kept",
    [
        (candidate(), None, 0),
        (candidate(actual_weight=0), GOOD, 0),
        (candidate(analysis=analysis(consecutive_failures=1)), SILENT, 0),
    ],
)
def test_without_a_measurement_or_requests_nothing_changes(kept: tuple[Any, Any, int]) -> None:
    assert measured(*kept) == kept[0]


def test_a_measurement_of_another_candidate_does_not_count() -> None:
    of = model(candidate=candidate(version="3"))
    assert with_analysis(observed(of, GOOD), candidate(), NOW) == candidate()
    assert with_analysis(observed(model(), GOOD), candidate(), NOW) == candidate()


def test_metrics_that_cannot_be_read_are_noted() -> None:
    found = measured(candidate(analysis=analysis(consecutive_failures=1)), AnalysisSample(error="no answer")).analysis
    assert found
    assert (found.verdict, found.consecutive_failures) == ("Inconclusive", 1)
    assert "no answer" in found.message


def test_a_first_measurement_without_requests_is_noted_too() -> None:
    found = measured(candidate(), SILENT).analysis
    assert found
    assert found.verdict == "Inconclusive"


def test_comparisons_of_copies_add_up() -> None:
    sample = AnalysisSample(GOOD.stable, GOOD.candidate, mirror=MirrorCounts(10, 2, 1, 0.3))
    once = measured(candidate(), sample, mirror=10)
    assert once.mirror == MirrorStatus(compared=10, different=2, failed=1, max_difference=0.3)
    before = MirrorStatus(compared=5, different=1, failed=2, max_difference=0.4)
    expected = MirrorStatus(compared=15, different=3, failed=3, max_difference=0.4)
    assert with_mirrored(before, sample.mirror) == expected
    assert measured(candidate(mirror=before), sample, mirror=10).mirror == expected
