"""The analysis at its boundaries: each figure against its formula, each message word for word."""

from dataclasses import replace
from datetime import UTC, datetime
from math import exp, inf, log, sqrt
from typing import Any

import pytest

from heart_api.heartmodel import Alerts, Analysis, AnalysisStatus
from heart_api.metrics import LATENCY_EDGES
from heart_api.status import PostPromotionStatus, TrackCounts
from heart_operator.plan.analysis.accuracy import is_worse, judge_accuracy, variance
from heart_operator.plan.analysis.counts import BUCKETS, Counts, Share
from heart_operator.plan.analysis.sequential_test import BETTER, WORSE, bet, gain, log_sum, stake_for, total, twice
from heart_operator.plan.analysis.shares import (
    FALSE_ALARM,
    FALSE_PRAISE,
    CheckResult,
    error_check,
    is_good,
    judge_share,
    lacking,
    latency_check,
    most,
    share_checks,
    weigh,
)
from heart_operator.plan.analysis.shares import is_worse as share_is_worse
from heart_operator.plan.analysis.shift import (
    Shift,
    factor,
    in_order,
    lower,
    merge_bins,
    number,
    prediction_shift,
    shares,
    spread,
    stability_index,
    tightness,
)
from heart_operator.plan.analysis.verdict import analyse_candidate, enough_requests, judge_shift, overall
from heart_operator.plan.analysis.watch import analyse_serving
from heart_operator.plan.observed import AnalysisSample
from tests.support.plan.simulated_traffic import counts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
SPEC = Analysis()


# --- counts --------------------------------------------------------------------------------------


def latency(**buckets: int) -> tuple[int, ...]:
    """Counts by bucket: `b3=7`."""
    return tuple(buckets.get(f"b{index}", 0) for index in range(BUCKETS))


def test_counts_are_added_field_by_field() -> None:
    one = Counts(10, 1, 2, latency(b0=3, b16=4), {"a": 5, "b": 1})
    other = Counts(20, 3, 5, latency(b0=7, b1=1), {"b": 2, "c": 6})
    assert one + other == Counts(30, 4, 7, latency(b0=10, b1=1, b16=4), {"a": 5, "b": 3, "c": 6})


@pytest.mark.parametrize(
    ("limit", "bad"),
    [(0.00001, 9), (LATENCY_EDGES[0], 9), (0.0003, 7), (0.5, 5), (0.500001, 4), (10.0, 3), (60.0, 3)],
)
def test_an_answer_is_slow_over_the_nearest_edge_that_is_not_below_the_limit(limit: float, bad: int) -> None:
    found = Counts(latency=latency(b0=1, b1=1, b2=1, b3=2, b12=1, b14=1, b16=3))
    assert found.slower_than(limit) == Share(bad, 10)


def test_counts_are_stored_and_read_back() -> None:
    found = Counts(10, 1, 2, latency(b3=7), {"0.50": 7})
    stored = found.dump()
    assert stored == TrackCounts(requests=10, errors=1, invalid=2, latency=latency(b3=7), outputs={"0.50": 7})
    assert Counts.load(stored) == found
    other = Counts.load(stored.model_copy(update={"latency": (7,)}))
    assert other == replace(found, latency=latency())


# --- bets ----------------------------------------------------------------------------------------


def test_twice_is_twice_the_odds() -> None:
    assert twice(0.02) == pytest.approx(0.04 / 1.02)
    assert twice(1.0) == 1.0


@pytest.mark.parametrize(("before", "now", "part"), [(0, 50, 0.5), (50, 150, 0.25), (0, 0, 0.0), (150, 450, 0.15)])
def test_half_of_the_stake_is_in_after_fifty_requests(before: int, now: int, part: float) -> None:
    assert stake_for(before, now) == pytest.approx(part)


@pytest.mark.parametrize("odds", [*WORSE, *BETTER])
def test_a_bet_grows_by_its_odds_for_each_bad_one_and_shrinks_with_each_request(odds: float) -> None:
    assert gain(odds, 3, 20, 0.02) == pytest.approx(3 * log(odds) - 20 * log(1 + 0.02 * (odds - 1)))
    assert gain(odds, 1, 0, 0.02) == pytest.approx(log(odds))


def test_a_first_bet_is_its_stake_in_equal_parts_times_its_gain() -> None:
    found = bet((), BETTER, 1, 10, 0.04, stake=1.0, most=50.0)
    assert found == tuple(round(log(1 / 2) + gain(odds, 1, 10, 0.04), 4) for odds in BETTER)
    assert bet((), BETTER, 1, 10, 0.04, stake=0.0, most=50.0) == (-inf, -inf)


def test_a_later_bet_adds_its_stake_to_what_it_holds() -> None:
    found = bet((1.0, 2.0), BETTER, 0, 10, 0.04, stake=0.5, most=50.0)
    expected = [log(exp(held) + 0.25) + gain(odds, 0, 10, 0.04) for held, odds in zip((1.0, 2.0), BETTER, strict=True)]
    assert found == pytest.approx(expected, abs=1e-4)
    assert all(part == round(part, 4) for part in found)
    assert bet((1.0, 2.0), BETTER, 0, 0, 0.04, stake=0.0, most=1.5) == (1.0, 1.5)


def test_wealth_is_the_sum_of_its_parts() -> None:
    assert total(()) == -inf
    assert total((log(2), log(3), log(5))) == pytest.approx(log(10))
    assert log_sum(log(3), log(1)) == pytest.approx(log(4)) == pytest.approx(log_sum(log(1), log(3)))


# --- shares --------------------------------------------------------------------------------------


def test_the_three_checks_of_an_analysis() -> None:
    spec = Analysis(max_error_rate=0.03, max_latency_p95="250ms")
    checks = share_checks(spec)
    assert [(check.name, check.noun, check.limit) for check in checks] == [
        ("errors", "were answered with 5xx", 0.03),
        ("invalid requests", "were rejected with 422", 0.03),
        ("latency", "took longer than 250ms", 0.05),
    ]
    found = Counts(100, 4, 6, latency(b10=80, b11=10))
    assert [check.measure(found) for check in checks] == [Share(4, 100), Share(6, 100), Share(10, 90)]


def test_a_bet_may_hold_what_its_verdict_needs_and_two_more() -> None:
    assert most(WORSE) == pytest.approx(log(250) + 2)
    assert most(BETTER) == pytest.approx(log(20) + 2)


CHECK = error_check(0.02)


def expected_bet(odds: tuple[float, ...], bad: int, n: int, p: float, stake: float) -> tuple[float, ...]:
    return tuple(round(min(log(stake / len(odds)) + gain(each, bad, n, p), most(odds)), 4) for each in odds)


def test_four_bets_are_placed_where_a_stable_version_answers() -> None:
    found = weigh(CHECK, {}, 0, counts(50, errors=2), counts(150, errors=1))
    assert found == {
        "errors/overLimit": expected_bet(WORSE, 2, 50, 0.02, 0.5),
        "errors/overStable": expected_bet(WORSE, 2, 3, 0.25, 0.5),
        "errors/underLimit": expected_bet(BETTER, 2, 50, twice(0.02), 1.0),
        "errors/underStable": expected_bet(BETTER, 2, 3, twice(0.25), 1.0),
    }


def test_without_a_stable_version_only_the_limit_is_bet_against() -> None:
    found = weigh(CHECK, {}, 50, counts(100, errors=2))
    assert found == {"errors/overLimit": expected_bet(WORSE, 2, 100, 0.02, 0.25)}


def test_without_answers_no_bet_is_placed() -> None:
    assert weigh(CHECK, {"errors/overLimit": (1.0, 1.0, 1.0)}, 50, Counts(), counts(100)) == {}


def test_a_second_interval_continues_the_bets_and_stakes_no_more_on_good() -> None:
    first = weigh(CHECK, {}, 0, counts(50), counts(50))
    second = weigh(CHECK, first, 50, counts(100, errors=1), counts(100))
    assert second["errors/overLimit"] == bet(
        first["errors/overLimit"], WORSE, 1, 100, 0.02, stake=0.25, most=most(WORSE)
    )
    assert second["errors/underLimit"] == bet(
        first["errors/underLimit"], BETTER, 1, 100, twice(0.02), stake=0.0, most=most(BETTER)
    )


def test_bets_on_other_odds_begin_anew() -> None:
    """As a newer operator reads the status of an older one."""
    assert weigh(CHECK, {"errors/overLimit": (9.0,)}, 0, counts(50)) == weigh(CHECK, {}, 0, counts(50))


NEEDED = log(1 / FALSE_ALARM)
UNLIKELY = -1e9
"""Wealth that adds nothing to a sum."""


@pytest.mark.parametrize(
    ("limit", "stable", "compared", "worse"),
    [
        (NEEDED, NEEDED, True, True),
        (NEEDED - 1e-6, NEEDED, True, False),
        (NEEDED, NEEDED - 1e-6, True, False),
        (NEEDED, UNLIKELY, False, True),
        (NEEDED - 1e-6, NEEDED, False, False),
    ],
)
def test_worse_than_the_limit_and_than_the_stable_version(
    limit: float, stable: float, compared: bool, worse: bool
) -> None:
    evidence = {"errors/overLimit": (limit, UNLIKELY), "errors/overStable": (stable, UNLIKELY)}
    assert share_is_worse(CHECK, evidence, compared=compared) is worse


def test_a_check_is_compared_with_the_stable_version_by_default() -> None:
    assert not share_is_worse(CHECK, {"errors/overLimit": (NEEDED,)})


@pytest.mark.parametrize("claim", ["underLimit", "underStable"])
@pytest.mark.parametrize(("short", "good"), [(0.0, True), (1e-6, False), (-1.0, True)])
def test_good_is_the_better_of_the_two_bets(claim: str, short: float, good: bool) -> None:
    evidence = {f"errors/{claim}": (log(2 / FALSE_PRAISE) - short,)}
    assert lacking(CHECK, evidence) == pytest.approx(short)
    assert is_good(CHECK, evidence) is good


def judged(evidence: dict[str, tuple[float, ...]], stable: Counts, candidate: Counts, newest: Counts) -> CheckResult:
    return judge_share(CHECK, evidence, stable, candidate, newest)


def test_what_is_said_of_a_check() -> None:
    worse = {"errors/overLimit": (NEEDED,), "errors/overStable": (NEEDED,)}
    good = {"errors/underLimit": (log(40),)}
    stable, candidate, newest = counts(400, errors=4), counts(200, errors=10), counts(50, errors=5)
    about = "errors: 5.00% of 200 were answered with 5xx, 2.00% allowed"
    other = ", the stable version has 1.00% of 400"
    assert judged({}, stable, Counts(), newest) == CheckResult(
        "errors", "Inconclusive", "the candidate has not served any requests yet"
    )
    assert judged(worse, stable, candidate, newest) == CheckResult(
        "errors", "Failed", f"{about}{other}, in the latest interval 10.00% of 50"
    )
    alone = {"errors/overLimit": (NEEDED,)}
    assert judged(alone, Counts(), candidate, newest) == CheckResult(
        "errors", "Failed", f"{about}, in the latest interval 10.00% of 50"
    )
    assert judged(alone, counts(1), candidate, newest).verdict == "Inconclusive"
    assert judged(good, stable, candidate, newest) == CheckResult("errors", "Passed", f"{about}{other}")
    assert judged({}, stable, candidate, newest) == CheckResult(
        "errors", "Inconclusive", f"{about}{other}: more requests are needed for a verdict"
    )


@pytest.mark.parametrize(("errors", "words"), [(5, "more requests are needed"), (4, "without a failure are needed")])
def test_over_the_limit_nobody_can_say_how_many_are_missing(errors: int, words: str) -> None:
    assert words in judged({"errors/underLimit": (0.0,)}, counts(9), counts(200, errors=errors), counts(9)).message


def test_how_many_more_are_missing() -> None:
    """Each request without a failure adds log 1/(1 - 0.9 p) to the better bet, p being twice the limit's odds."""
    evidence = {"errors/underLimit": (log(40) - 1.0,)}
    per_request = -log(1 - 0.9 * twice(0.02))
    missing = int(-(-1.0 // per_request))
    assert judged(evidence, counts(9), counts(200), counts(9)).message.endswith(
        f": about {missing} more without a failure are needed"
    )


# --- shift ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "margin", "bound"),
    [(0.25, 0.1, 0.16), (0.25, 0.6, 0.0), (0.0, 0.1, 0.0), (-1.0, 0.1, 0.0), (0.04, 0, 0.04)],
)
def test_the_lower_bound_is_set_on_the_root(value: float, margin: float, bound: float) -> None:
    assert lower(value, margin) == pytest.approx(bound)


def test_half_an_output_is_added_to_each_bin() -> None:
    assert shares([1, 3]) == pytest.approx([0.3, 0.7])
    assert shares([0, 0, 1]) == pytest.approx([0.2, 0.2, 0.6])


def test_the_variance_of_a_draw() -> None:
    assert spread([0.5, 0.5], [1.0, 3.0]) == pytest.approx(1.0)
    assert spread([0.25, 0.75], [0.0, 4.0]) == pytest.approx(3.0)


def test_the_index_and_its_variance_by_their_definition() -> None:
    pairs = [(30, 10), (10, 30), (60, 60)]
    p = [30.5 / 101.5, 10.5 / 101.5, 60.5 / 101.5]
    q = [10.5 / 101.5, 30.5 / 101.5, 60.5 / 101.5]
    index = sum((b - a) * log(b / a) for a, b in zip(p, q, strict=True))
    by_q = spread(q, [log(b / a) + 1 - a / b for a, b in zip(p, q, strict=True)])
    by_p = spread(p, [log(a / b) + 1 - b / a for a, b in zip(p, q, strict=True)])
    assert stability_index(pairs, 400, 100) == pytest.approx((index, by_q / 100 + by_p / 400))


def test_the_bounds_hold_at_every_size_and_are_tightest_at_two_hundred() -> None:
    assert tightness(0.05) == pytest.approx(2 * log(20) + log(1 + 2 * log(20)))
    known = tightness(0.05)
    assert factor(200, 0.05) == pytest.approx(sqrt((1 + 1 / known) * log((1 + known) / 0.0025)))
    assert factor(200, 0.05) < min(factor(100, 0.05), factor(400, 0.05))


def alike(requests: int) -> Counts:
    return replace(counts(requests), outputs={"0.1": requests // 2, "0.9": requests - requests // 2})


@pytest.mark.parametrize(("stable", "candidate", "known"), [(30, 30, True), (29, 300, False), (300, 29, False)])
def test_thirty_outputs_of_each_bear_a_statement(stable: int, candidate: int, known: bool) -> None:
    found = prediction_shift(alike(stable), alike(candidate), alpha_low=0.01, alpha_high=0.05)
    assert (found is not None) is known


def test_a_shift_is_the_index_without_its_bias_between_bounds() -> None:
    stable, candidate = (
        replace(counts(200), outputs={"0.1": 100, "0.9": 100}),
        replace(counts(100), outputs={"0.1": 25, "0.9": 75}),
    )
    found = prediction_shift(stable, candidate, alpha_low=0.01, alpha_high=0.05)
    size = 1 / (1 / 200 + 1 / 100)
    raw, variance_ = stability_index([(100, 25), (100, 75)], 200, 100)
    value, error = raw - 1 / size, sqrt(variance_ + 2 / size**2)
    assert found == Shift(
        pytest.approx(value),
        pytest.approx(lower(value, factor(size, 0.01) * error)),
        pytest.approx(value + factor(size, 0.05) * error),
    )


@pytest.mark.parametrize(
    ("stable", "candidate", "merged"),
    [
        ({"0.1": 10, "0.2": 90}, {"0.1": 10, "0.2": 90}, [(10, 10), (90, 90)]),
        ({"0.1": 9, "0.2": 91}, {"0.1": 10, "0.2": 90}, [(100, 100)]),
        ({"0.1": 10, "0.2": 190}, {"0.1": 10, "0.2": 90}, [(200, 100)]),
        ({"0.1": 10, "0.2": 90}, {"0.1": 10, "0.2": 190}, [(100, 200)]),
        ({"0.2": 95, "0.9": 5}, {"0.2": 95, "0.9": 5}, [(100, 100)]),
        ({"0.2": 100}, {"0.2": 95, "0.9": 5}, [(100, 100)]),
        ({"0.2": 95, "0.9": 5}, {"0.2": 100}, [(100, 100)]),
        ({"0.1": 50, "0.2": 45, "0.9": 5}, {"0.1": 50, "0.2": 45, "0.9": 5}, [(50, 50), (50, 50)]),
        ({"0.1": 5, "0.2": 5, "0.3": 90}, {"0.1": 5, "0.2": 5, "0.3": 90}, [(10, 10), (90, 90)]),
        ({"0.3": 100}, {"0.1": 40, "0.3": 60}, [(0, 40), (100, 60)]),
    ],
)
def test_neighbouring_bins_are_merged_until_each_holds_a_tenth(
    stable: dict[str, int], candidate: dict[str, int], merged: list[tuple[int, int]]
) -> None:
    assert merge_bins(stable, candidate) == merged


def test_edges_are_ordered_by_size_and_classes_by_frequency() -> None:
    assert in_order({"10": 1, "9": 5}, {"-1e3": 1}) == ["-1e3", "9", "10"]
    assert in_order({"a": 1, "b": 5, "c": 5}, {"d": 9}) == ["b", "c", "a", "d"]
    assert in_order({"b": 1}, {"a": 9}) == ["b", "a"]
    assert in_order({"1": 1, "1.0": 1}, {}) == ["1", "1.0"]
    assert in_order({"2": 1, "low": 5}, {}) == ["low", "2"]
    assert [number(text) for text in ("0.5", "-3", "low", "nan", "inf")] == [0.5, -3.0, None, None, None]


# --- accuracy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stable", "candidate", "known"), [(30, 30, True), (29, 30, False), (30, 29, False), (31, 31, True)]
)
def test_thirty_outcomes_of_each_bear_a_statement(stable: int, candidate: int, known: bool) -> None:
    assert bool(judge_accuracy(Share(1, stable), Share(1, candidate))) is known


def test_what_is_said_of_the_accuracy() -> None:
    said = "live accuracy: 90.00% of 100 outcomes, the stable version has 80.00% of 200"
    assert judge_accuracy(Share(40, 200), Share(10, 100)) == (CheckResult("live accuracy", "Passed", said),)
    (found,) = judge_accuracy(Share(0, 200), Share(100, 100))
    assert (found.verdict, found.name) == ("Failed", "live accuracy")


def test_two_made_up_outcomes_keep_the_variance_above_zero() -> None:
    assert variance(Share(0, 98)) == pytest.approx(0.01 * 0.99 / 98)
    assert variance(Share(48, 98)) == pytest.approx(0.49 * 0.51 / 98)


@pytest.mark.parametrize("n", [100, 200, 2000, 20_000])
@pytest.mark.parametrize("stable", [Share(4, 40), Share(100, 1000), Share(9000, 90_000)])
def test_worse_is_beyond_the_factor_of_the_common_size(stable: Share, n: int) -> None:
    """The least number of wrong ones that is worse beyond doubt, and one less."""
    bound = next(bad for bad in range(n) if _apart(stable, Share(bad, n)) > 0)
    assert is_worse(stable, Share(bound, n))
    assert not is_worse(stable, Share(bound - 1, n))


def _apart(stable: Share, candidate: Share) -> float:
    size = stable.n * candidate.n / (stable.n + candidate.n)
    error = sqrt(variance(stable) + variance(candidate))
    return candidate.bad / candidate.n - stable.bad / stable.n - factor(size, FALSE_ALARM) * error


# --- verdict -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["Passed", "Passed"], "Passed"),
        (["Passed", "Inconclusive"], "Inconclusive"),
        (["Inconclusive", "Failed", "Passed"], "Failed"),
    ],
)
def test_one_failure_fails_and_one_doubt_holds(verdicts: list[Any], expected: str) -> None:
    assert overall(CheckResult("c", verdict, "") for verdict in verdicts) == expected


@pytest.mark.parametrize(
    ("requests", "verdict", "message"),
    [(99, "Inconclusive", "requests: 99 of 100 (minRequests)"), (100, "Passed", "requests: 100")],
)
def test_the_least_number_of_requests(requests: int, verdict: Any, message: str) -> None:
    assert enough_requests(SPEC, counts(requests)) == CheckResult("requests", verdict, message)


def shift_of(limit: float, stable: Counts, candidate: Counts) -> CheckResult:
    return judge_shift(Analysis(max_prediction_shift=limit), stable, candidate)


def test_what_is_said_of_the_outputs() -> None:
    stable, candidate = (
        replace(counts(200), outputs={"0.1": 100, "0.9": 100}),
        replace(counts(100), outputs={"0.1": 25, "0.9": 75}),
    )
    shift = prediction_shift(stable, candidate, alpha_low=FALSE_ALARM, alpha_high=FALSE_PRAISE)
    assert shift
    said = f"prediction shift: {shift.value:.2f} (between {shift.low:.2f} and {shift.high:.2f})"
    wide = shift.high
    assert shift_of(wide, stable, candidate) == CheckResult("prediction shift", "Passed", f"{said}, {wide:g} allowed")
    assert shift_of(0.2, stable, candidate) == CheckResult(
        "prediction shift", "Inconclusive", f"{said}, 0.2 allowed: more requests are needed for a verdict"
    )
    few = "prediction shift: 29 predictions of the candidate and 100 of the stable version were counted, 30 of each"
    assert shift_of(0.2, alike(100), alike(29)) == CheckResult(
        "prediction shift", "Inconclusive", f"{few} are required"
    )
    moved = replace(counts(200), outputs={"0.1": 10, "0.9": 190})
    failed = shift_of(0.2, stable, moved)
    assert (failed.name, failed.verdict) == ("prediction shift", "Failed")
    same = replace(counts(5000), outputs={"0.1": 2500, "0.9": 2500})
    assert shift_of(0.2, same, same).message.startswith("prediction shift: 0.00 (between 0.00 and 0.")


def test_twice_the_limit_is_still_good_and_the_limit_itself_not_yet_bad() -> None:
    stable, candidate = (
        replace(counts(2000), outputs={"0.1": 1000, "0.9": 1000}),
        replace(counts(2000), outputs={"0.1": 700, "0.9": 1300}),
    )
    shift = prediction_shift(stable, candidate, alpha_low=FALSE_ALARM, alpha_high=FALSE_PRAISE)
    assert shift
    assert shift.low > 0
    assert shift_of(shift.high / 2, stable, candidate).verdict == "Passed"
    assert shift_of(shift.high / 2 * 0.999, stable, candidate).verdict == "Inconclusive"
    assert shift_of(shift.low, stable, candidate).verdict == "Inconclusive"
    assert shift_of(shift.low * 0.999, stable, candidate).verdict == "Failed"


def test_the_status_of_an_interval() -> None:
    sample = AnalysisSample(counts(900), counts(300), partial="1 of 3 pods did not answer")
    found = analyse_candidate(SPEC, None, sample, NOW)
    assert (found.time, found.intervals, found.verdict) == ("2026-01-01T00:00:00Z", 1, "Passed")
    assert "did not answer" not in found.message, "what is missing matters only without a verdict"
    assert found.message.startswith("requests: 300; errors: 0.00% of 300 were answered with 5xx, 2.00% allowed")
    assert [part.partition(":")[0] for part in found.message.split("; ") if ":" in part] == [
        *("requests", "errors", "invalid requests", "latency", "prediction shift"),
    ]
    again = analyse_candidate(SPEC, found, sample, LATER)
    assert (again.time, again.intervals) == ("2026-01-01T00:00:30Z", 2)
    assert (again.stable, again.candidate) == ((counts(900) + counts(900)).dump(), (counts(300) + counts(300)).dump())
    first, second = share_checks(SPEC)[0], share_checks(SPEC)[2]
    assert (
        again.evidence["errors/overLimit"]
        == weigh(first, found.evidence, 300, counts(300), counts(900))["errors/overLimit"]
    )
    assert (
        again.evidence["latency/underStable"]
        == weigh(second, found.evidence, 300, counts(300), counts(900))["latency/underStable"]
    )


def test_an_interval_without_metrics_says_so_and_keeps_the_rest() -> None:
    failed = analyse_candidate(SPEC, None, AnalysisSample(counts(60), counts(20, errors=20)), NOW)
    assert (failed.verdict, failed.consecutive_failures) == ("Failed", 1)
    blind = analyse_candidate(SPEC, failed, AnalysisSample(error="no answer"), LATER)
    assert blind == failed.model_copy(
        update={
            "time": "2026-01-01T00:00:30Z",
            "intervals": 2,
            "verdict": "Inconclusive",
            "message": "the metrics cannot be read: no answer",
        }
    )


def test_what_is_missing_follows_the_reason_of_an_open_verdict() -> None:
    found = analyse_candidate(SPEC, None, AnalysisSample(counts(900), counts(99), partial="1 pod is silent"), NOW)
    assert found.verdict == "Inconclusive"
    assert found.message.startswith("requests: 99 of 100 (minRequests); ")
    assert found.message.endswith("; 1 pod is silent")
    assert analyse_candidate(SPEC, None, AnalysisSample(counts(900), counts(99)), NOW).message.endswith("are needed")


def test_outcomes_are_judged_with_the_rest() -> None:
    sample = AnalysisSample(
        counts(900), counts(300), stable_outcomes=Share(10, 200), candidate_outcomes=Share(150, 200)
    )
    assert analyse_candidate(SPEC, None, sample, NOW) == AnalysisStatus.model_validate(
        analyse_candidate(SPEC, None, AnalysisSample(counts(900), counts(300)), NOW).dump()
        | {
            "verdict": "Failed",
            "consecutiveFailures": 1,
            "message": "live accuracy: 25.00% of 200 outcomes, the stable version has 95.00% of 200",
        }
    )


# --- after a promotion ---------------------------------------------------------------------------


def test_the_status_of_an_interval_after_a_promotion() -> None:
    alerts = Alerts.model_validate({"errorRate": {"warning": 0.02, "critical": 0.1}})
    seen = counts(200, errors=100, invalid=10, slow=80)
    found = analyse_serving(alerts, None, AnalysisSample(seen), NOW)
    late = latency_check("1s")
    assert found == PostPromotionStatus(
        time="2026-01-01T00:00:00Z",
        consecutive_failures=1,
        message="errors: 50.00% of 200 were answered with 5xx, the critical threshold is 10.00%",
        requests=200,
        errors=100,
        predictions=90,
        slow=0,
        evidence=weigh(error_check(0.1), {}, 0, seen) | weigh(late, {}, 0, seen),
    )
    slow = AnalysisSample(replace(counts(200, errors=100), latency=latency(b13=90, b3=10)))
    again = analyse_serving(alerts, found, slow, LATER)
    assert again.message == (
        "errors: 50.00% of 200 were answered with 5xx, the critical threshold is 10.00%;"
        " latency: 90.00% of 100 took longer than 1s, the critical threshold is 5.00%"
    )
    assert (again.consecutive_failures, again.requests, again.errors, again.predictions, again.slow) == (
        *(2, 400, 200, 190, 90),
    )
    assert again.evidence == found.evidence | weigh(error_check(0.1), found.evidence, 200, slow.stable) | weigh(
        late, found.evidence, 90, slow.stable
    )


def test_bets_are_continued_after_a_promotion() -> None:
    first = analyse_serving(Alerts(), None, AnalysisSample(counts(100, errors=2)), NOW)
    seen = counts(50, errors=1)
    again = analyse_serving(Alerts(), first, AnalysisSample(seen), LATER)
    assert again.evidence == weigh(error_check(0.05), first.evidence, 100, seen) | weigh(
        latency_check("1s"), first.evidence, 98, seen
    )


def test_an_interval_without_requests_or_metrics_keeps_the_figures() -> None:
    bad = analyse_serving(Alerts(), None, AnalysisSample(counts(200, errors=100)), NOW)
    assert analyse_serving(Alerts(), bad, AnalysisSample(), LATER) == bad.model_copy(
        update={"time": "2026-01-01T00:00:30Z"}
    )
    assert analyse_serving(Alerts(), bad, AnalysisSample(error="no answer"), LATER) == bad.model_copy(
        update={"time": "2026-01-01T00:00:30Z", "message": "the metrics cannot be read: no answer"}
    )
    one = analyse_serving(Alerts(), None, AnalysisSample(counts(1)), NOW)
    assert (one.requests, one.message) == (1, ""), "a single request is an interval"
