"""Each decision of an A/B experiment: what is counted, its verdict, its end, and what is said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.experiment import Experiment
from heart_api.heartmodel import AnalysisStatus, CandidateStatus
from heart_api.status import ArmStatus, ExperimentStatus
from heart_operator.plan.analysis.counts import Share
from heart_operator.plan.analysis.experiment import NO_SUMS, Bounds, Sums, bounds_of, compare
from heart_operator.plan.observed import AnalysisSample, Arms, Observed
from heart_operator.plan.rollout.experiment import (
    arm,
    begun,
    describe,
    experiment_end,
    gather,
    is_better_up,
    is_share,
    is_won,
    judge,
    why_lost,
    with_experiment,
)
from tests.support.plan.world import World, sha

START = datetime(2026, 1, 1, tzinfo=UTC)
SINCE = "2026-01-01T00:00:00Z"
END = START + timedelta(minutes=10)
VALUES = {"duration": "10m", "by": {"header": "X-User-Id"}, "minDetectable": 0.05}


def experiment(**changes: Any) -> Experiment:
    return Experiment.model_validate(VALUES | changes)


def status(found: ExperimentStatus | None = None, **changes: Any) -> CandidateStatus:
    return CandidateStatus(version="2", digest=sha("2"), since=SINCE, experiment=found, **changes)


def known(**changes: Any) -> ExperimentStatus:
    return ExperimentStatus(since=SINCE, **changes)


def analysis(verdict: str) -> AnalysisStatus:
    return AnalysisStatus.model_validate({"time": SINCE, "verdict": verdict})


def right(hits: int, rows: int) -> Sums:
    return Sums(rows, hits, hits)


def observed(sample: AnalysisSample | None = None, **changes: Any) -> Observed:
    world = World()
    world.merge_spec({"rollout": {"experiment": VALUES | changes}})
    return replace(world.observe(), sample=sample)


def test_an_experiment_begins_once_and_has_an_end() -> None:
    first = begun(status(), START)
    assert first == status(known())
    assert begun(first, END) == first
    assert experiment_end(experiment(), first) == END
    assert experiment_end(experiment(), status()) is None


def test_outcomes_are_a_state_and_requests_add_up() -> None:
    before = known(stable=ArmStatus(count=10, total=2, squares=2), candidate=ArmStatus(count=20, total=4, squares=4))
    arms = Arms(Share(1, 5), Share(2, 6), right(30, 40), right(50, 60))
    assert gather(experiment(), before, arms) == (right(30, 40), right(50, 60))
    assert gather(experiment(metric="MeanOutcome"), before, arms) == (right(30, 40), right(50, 60))
    assert gather(experiment(), before, Arms()) == (right(2, 10), right(4, 20)), "nobody knows: as it was"
    assert gather(experiment(metric="ErrorRate"), before, arms) == (right(3, 15), right(6, 26))


@pytest.mark.parametrize(
    ("metric", "stable", "share"),
    [
        ("Accuracy", Sums(2, 3.0, 5.0), True),
        ("ErrorRate", Sums(2, 3.0, 5.0), True),
        ("MeanOutcome", Sums(2, 3.0, 5.0), False),
        ("MeanOutcome", right(1, 2), True),
        ("MeanOutcome", NO_SUMS, True),
    ],
)
def test_what_is_told_in_percent(metric: str, stable: Sums, share: bool) -> None:
    assert is_share(experiment(metric=metric), stable, right(1, 4)) is share
    assert is_share(experiment(metric=metric), right(1, 4), stable) is share


def test_what_the_status_says_of_a_group() -> None:
    group = right(300, 400)
    found = bounds_of(group, 0.05, is_share=True)
    assert found
    assert arm(experiment(), group) == ArmStatus(
        count=400, total=300, squares=300, mean=0.75, low=found.low, high=found.high
    )
    assert arm(experiment(), right(1, 1)) == ArmStatus(count=1, total=1, squares=1)
    values = Sums(400, 1000.0, 4000.0)
    wide = bounds_of(values, 0.5, is_share=False)
    assert wide
    told = arm(experiment(metric="MeanOutcome", minDetectable=0.5), values)
    assert (told.mean, told.low, told.high) == (2.5, wide.low, wide.high)


BETTER, WORSE, EQUAL, UNCLEAR = (
    Bounds((low + high) / 2, low, high) for low, high in ((0.01, 0.2), (-0.2, -0.01), (-0.04, 0.04), (-0.2, 0.2))
)


@pytest.mark.parametrize(
    ("about", "found", "verdict"),
    [
        ({}, BETTER, "Better"),
        ({}, WORSE, "Worse"),
        ({}, EQUAL, "NoDifference"),
        ({}, UNCLEAR, "Running"),
        ({}, None, "Running"),
        ({"metric": "ErrorRate"}, BETTER, "Worse"),
        ({"metric": "ErrorRate"}, WORSE, "Better"),
        ({"metric": "ErrorRate"}, EQUAL, "NoDifference"),
        ({"metric": "MeanOutcome"}, BETTER, "Better"),
        ({"metric": "MeanOutcome", "goal": "Minimize"}, BETTER, "Worse"),
        ({"goal": "Minimize"}, BETTER, "Better"),
        ({}, Bounds(0.02, 0.0, 0.2), "Running"),
        ({}, Bounds(-0.02, -0.2, 0.0), "Running"),
        ({}, Bounds(0, -0.05, 0.04), "Running"),
        ({}, Bounds(0, -0.04, 0.05), "Running"),
        ({}, Bounds(0, -0.2, 0.04), "Running"),
        ({}, Bounds(0, -0.04, 0.2), "Running"),
    ],
)
def test_the_verdict_follows_from_the_bounds(about: dict[str, Any], found: Bounds | None, verdict: str) -> None:
    before_end = END - timedelta(seconds=1)
    assert judge(experiment(**about), known(), found, before_end) == verdict
    at_end = "TimeUp" if verdict == "Running" else verdict
    assert judge(experiment(**about), known(), found, END) == at_end
    assert judge(experiment(**about), known(), found, END + timedelta(hours=1)) == at_end


@pytest.mark.parametrize("verdict", ["Better", "Worse", "NoDifference", "TimeUp"])
def test_what_was_decided_stays(verdict: Any) -> None:
    assert judge(experiment(), known(verdict=verdict), UNCLEAR, START) == verdict


@pytest.mark.parametrize(
    ("about", "up"),
    [
        ({}, True),
        ({"metric": "ErrorRate"}, False),
        ({"metric": "MeanOutcome"}, True),
        ({"metric": "MeanOutcome", "goal": "Minimize"}, False),
    ],
)
def test_which_metrics_are_to_rise(about: dict[str, Any], up: bool) -> None:
    assert is_better_up(experiment(**about)) is up


WISHES = ("Hold", "Promote", "Rollback")


@pytest.mark.parametrize(
    ("verdict", "promoted", "rejected"),
    [
        ("Better", WISHES, ()),
        ("Worse", (), WISHES),
        ("NoDifference", ("Promote",), ("Rollback",)),
        ("TimeUp", ("Promote",), ("Rollback",)),
        ("Running", (), ()),
    ],
)
def test_what_follows_from_a_verdict(verdict: Any, promoted: tuple[str, ...], rejected: tuple[str, ...]) -> None:
    seen = status(known(verdict=verdict), analysis=analysis("Passed"))
    for wish in WISHES:
        declared = experiment(onInconclusive=wish)
        assert is_won(declared, seen) is (wish in promoted)
        assert why_lost(declared, seen) == (describe(declared, seen) if wish in rejected else "")
        assert why_lost(declared, seen.model_copy(update={"forced": True})) == "", "a person has decided otherwise"


def test_nothing_is_won_by_a_version_whose_answers_fail_or_were_not_looked_at() -> None:
    won = known(verdict="Better")
    assert not is_won(experiment(), status(won))
    assert not is_won(experiment(), status(won, analysis=analysis("Failed")))
    assert is_won(experiment(), status(won, analysis=analysis("Inconclusive")))
    assert not is_won(experiment(onInconclusive="Promote"), status(analysis=analysis("Passed")))
    assert why_lost(experiment(onInconclusive="Rollback"), status()) == ""


FIGURES = known(
    stable=ArmStatus(count=910, total=710, squares=710), candidate=ArmStatus(count=900, total=729, squares=729)
)
GROUPS = "experiment (Accuracy): the candidate has 81.00% of 900, the stable version 78.02% of 910"
DIFFERENCE = {"difference": 0.02978, "low": -0.01, "high": 0.07}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, f"{GROUPS}: not decided yet"),
        (DIFFERENCE, f"{GROUPS}; difference +2.98% (between -1.00% and +7.00%): not decided yet"),
        (DIFFERENCE | {"low": None}, f"{GROUPS}: not decided yet"),
        (DIFFERENCE | {"high": None}, f"{GROUPS}: not decided yet"),
        (DIFFERENCE | {"difference": None}, f"{GROUPS}: not decided yet"),
        ({"verdict": "Better"}, f"{GROUPS}: the candidate is better"),
        ({"verdict": "Worse"}, f"{GROUPS}: the candidate is worse"),
        ({"verdict": "NoDifference"}, f"{GROUPS}: no difference as large as minDetectable"),
        ({"verdict": "TimeUp"}, f"{GROUPS}: undecided after its duration"),
    ],
)
def test_what_people_read_of_an_experiment(changes: dict[str, Any], text: str) -> None:
    assert describe(experiment(), status(FIGURES.model_copy(update=changes))) == text


def test_what_people_read_of_means_and_before_the_first_user() -> None:
    found = known(
        stable=ArmStatus(count=100, total=250, squares=900),
        candidate=ArmStatus(count=50, total=150, squares=700),
        difference=0.5,
        low=-0.25,
        high=1.25,
    )
    assert describe(experiment(metric="MeanOutcome"), status(found)) == (
        "experiment (MeanOutcome): the candidate has 3 (mean of 50), the stable version 2.5 (mean of 100);"
        " difference +0.5 (between -0.25 and +1.25): not decided yet"
    )
    much = found.model_copy(update={"difference": 2e6})
    assert "difference +2e+06 (" in describe(experiment(metric="MeanOutcome"), status(much))
    assert describe(experiment(), status()) == "experiment: waiting for its first users"


def sampled(stable: Sums, candidate: Sums, error: str | None = None) -> AnalysisSample:
    return AnalysisSample(arms=Arms(stable_outcomes=stable, candidate_outcomes=candidate), error=error)


def test_the_status_has_both_groups_their_difference_and_the_verdict() -> None:
    stable, candidate = right(1500, 2000), right(1800, 2000)
    found = with_experiment(observed(sampled(stable, candidate)), status(known()), START).experiment
    expected = compare(stable, candidate, 0.05, is_share=True)
    assert found
    assert expected
    assert (found.difference, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert (found.stable, found.candidate) == (arm(experiment(), stable), arm(experiment(), candidate))
    assert found.verdict == "Better"


def test_too_few_outcomes_leave_the_difference_open() -> None:
    seen = observed(sampled(right(1, 2), right(2, 2)))
    found = with_experiment(seen, status(known()), START).experiment
    assert found
    assert (found.difference, found.low, found.high, found.verdict) == (None, None, None, "Running")
    assert (found.stable.count, found.candidate.count) == (2, 2)
    assert with_experiment(seen, status(known()), END).experiment == found.model_copy(update={"verdict": "TimeUp"})


@pytest.mark.parametrize("sample", [None, sampled(right(1500, 2000), right(1800, 2000), "Prometheus does not answer")])
def test_without_a_sample_the_groups_stay_as_they_were(sample: AnalysisSample | None) -> None:
    found = with_experiment(observed(sample), status(FIGURES), START).experiment
    assert found
    assert (found.stable.count, found.candidate.count) == (910, 900)


def test_nothing_is_recorded_of_what_has_not_begun_or_was_not_declared() -> None:
    sample = sampled(right(1500, 2000), right(1800, 2000))
    assert with_experiment(observed(sample), status(), START) == status()
    undeclared = replace(World().observe(), sample=sample)
    assert with_experiment(undeclared, status(known()), START) == status(known())
