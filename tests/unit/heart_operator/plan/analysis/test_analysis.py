"""The analysis by table: which traffic passes, fails, or says too little, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from heart_api.heartmodel import Analysis, AnalysisStatus
from heart_api.status import TrackCounts
from heart_operator.plan.analysis.counts import BUCKETS, Counts, Share
from heart_operator.plan.analysis.verdict import analyse_candidate
from heart_operator.plan.observed import AnalysisSample
from tests.support.plan.simulated_traffic import counts, probabilities

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)


def analyze(*samples: AnalysisSample, last: AnalysisStatus | None = None, **spec: Any) -> AnalysisStatus:
    """The analysis after these samples, one per interval; stored and read back between, as the API server does."""
    for position, sample in enumerate(samples):
        last = analyse_candidate(Analysis.model_validate(spec), last, sample, NOW + position * INTERVAL)
        last = AnalysisStatus.model_validate(last.dump())
    assert last is not None
    return last


def both(stable: Counts, candidate: Counts, **more: Any) -> AnalysisSample:
    return AnalysisSample(stable, candidate, **more)


GOOD = both(counts(900), counts(300))

SAMPLES = [
    ("a sound version", GOOD, "Passed", "errors: 0.00% of 300 were answered with 5xx, 2.00% allowed"),
    ("sound, but too few", both(counts(900), counts(99)), "Inconclusive", "99 of 100 (minRequests)"),
    ("just enough to count, not to tell", both(counts(900), counts(100)), "Inconclusive", "more without a failure"),
    ("no traffic at all", both(Counts(), Counts()), "Inconclusive", "the candidate has not served any requests yet"),
    ("only the stable version is asked", both(counts(900), Counts()), "Inconclusive", "not served any requests yet"),
    ("every second one fails", both(counts(60), counts(20, errors=10)), "Failed", "errors: 50.00% of 20"),
    ("a tenth fails", both(counts(900), counts(300, errors=30)), "Failed", "the stable version has 0.00% of 900"),
    (
        "some more than allowed, by chance?",
        both(counts(900), counts(300, errors=9)),
        "Inconclusive",
        "more requests are needed for a verdict",
    ),
    (
        "no worse than a failing stable version",
        both(counts(900, errors=90), counts(300, errors=30)),
        "Passed",
        "10.00% of 900",
    ),
    ("worse than a failing stable version", both(counts(900, errors=90), counts(300, errors=150)), "Failed", "errors"),
    ("better than a failing stable version", both(counts(900, errors=180), counts(300)), "Passed", "20.00% of 900"),
    (
        "rejects what the stable one takes",
        both(counts(60), counts(20, invalid=20)),
        "Failed",
        "invalid requests: 100.00% of 20",
    ),
    (
        "rejects as the stable one does",
        both(counts(9000, invalid=900), counts(3000, invalid=300)),
        "Passed",
        "",
    ),
    ("slow", both(counts(900), counts(300, slow=100)), "Failed", "latency: 33.33% of 300 took longer than 500ms"),
    ("as slow as the stable one", both(counts(9000, slow=900), counts(3000, slow=300)), "Passed", ""),
    ("nobody else is there to compare errors with", both(Counts(), counts(20, errors=10)), "Failed", "errors: 50.00%"),
    ("outputs of nobody to compare with", both(Counts(), counts(300)), "Inconclusive", "0 of the stable version"),
]


@pytest.mark.parametrize(("sample", "verdict", "words"), [row[1:] for row in SAMPLES], ids=[row[0] for row in SAMPLES])
def test_verdicts(sample: AnalysisSample, verdict: str, words: str) -> None:
    found = analyze(sample)
    assert (found.verdict, words in found.message) == (verdict, True), found.message


def shifted(requests: int, mean: float) -> Counts:
    return counts(requests, outputs=np.round(probabilities(mean) * requests).astype(int))


SHIFTS = [
    ("none", shifted(300, 0), {}, "Passed"),
    ("all outputs in one bin", replace(counts(100), outputs={"0.50": 100}), {}, "Failed"),
    ("more or less the other way round", shifted(300, 3), {}, "Failed"),
    ("large, and allowed", shifted(300, 3), {"maxPredictionShift": 9}, "Passed"),
    ("near the limit", shifted(300, 1.2), {}, "Inconclusive"),
    ("unmeasured", replace(counts(300), outputs={}), {}, "Inconclusive"),
    ("classes, as before", replace(counts(300), outputs={"setosa": 150, "virginica": 148, "rare": 2}), {}, "Passed"),
    ("classes, all the same", replace(counts(300), outputs={"virginica": 300}), {}, "Failed"),
]


@pytest.mark.parametrize(("candidate", "spec", "verdict"), [row[1:] for row in SHIFTS], ids=[row[0] for row in SHIFTS])
def test_prediction_shift(candidate: Counts, spec: dict[str, Any], verdict: str) -> None:
    classes = {"setosa": 450, "virginica": 448, "rare": 2}
    named = any(name.isalpha() for name in candidate.outputs)
    stable = replace(counts(900), outputs=classes) if named else shifted(900, 0)
    found = analyze(both(stable, candidate), **spec)
    assert found.verdict == verdict, found.message
    assert verdict == "Passed" or "prediction shift" in found.message


OUTCOMES = [
    ("none", Share(0, 0), Share(0, 0), "Passed", "errors"),
    ("too few", Share(100, 1000), Share(29, 29), "Passed", "errors"),
    ("equal", Share(150, 1000), Share(30, 200), "Passed", "live accuracy: 85.00% of 200 outcomes"),
    ("a little worse, by chance?", Share(150, 1000), Share(40, 200), "Passed", "80.00% of 200"),
    ("worse beyond doubt", Share(150, 1000), Share(80, 200), "Failed", "the stable version has 85.00% of 1000"),
    ("better", Share(400, 1000), Share(20, 200), "Passed", "90.00% of 200"),
    ("never wrong against never right", Share(0, 200), Share(200, 200), "Failed", "0.00% of 200"),
]


@pytest.mark.parametrize(
    ("stable", "candidate", "verdict", "words"), [row[1:] for row in OUTCOMES], ids=[row[0] for row in OUTCOMES]
)
def test_live_accuracy(stable: Share, candidate: Share, verdict: str, words: str) -> None:
    found = analyze(replace(GOOD, stable_outcomes=stable, candidate_outcomes=candidate))
    assert (found.verdict, words in found.message) == (verdict, True), found.message


def test_rows_of_one_request_are_one_piece_of_evidence() -> None:
    """A client that sends its hospital's patients in one request has shown one sample, not a thousand."""
    batch = replace(counts(10), outputs={"0.50": 10_000})
    found = analyze(both(shifted(900, 0), batch))
    assert found.verdict == "Inconclusive"
    assert "10 predictions of the candidate" in found.message


def test_a_limit_between_two_edges_is_the_next_edge() -> None:
    slow = both(counts(900), counts(300, slow=60))  # beyond 500 ms, within 1 s
    assert analyze(slow, maxLatencyP95="300ms").verdict == "Failed"
    assert analyze(slow, maxLatencyP95="700ms").verdict == "Passed"


def test_unreadable_metrics_are_no_success_and_keep_what_was_counted() -> None:
    found = analyze(GOOD, AnalysisSample(error="Prometheus does not answer"))
    assert found.verdict == "Inconclusive"
    assert "Prometheus does not answer" in found.message
    assert (found.intervals, found.candidate.requests) == (2, 300)
    assert analyze(AnalysisSample(error="gone")).verdict == "Inconclusive"


def test_silence_is_said_once() -> None:
    assert analyze(both(Counts(), Counts())).message.count("not served any requests") == 1


def test_unreadable_metrics_do_not_reset_consecutive_failures() -> None:
    bad = both(counts(60), counts(20, errors=20))
    assert analyze(bad, AnalysisSample(error="no answer"), bad).consecutive_failures == 2


def test_what_is_missing_is_said() -> None:
    found = analyze(both(counts(900), counts(50), partial="1 of 3 pods did not answer"))
    assert "1 of 3 pods did not answer" in found.message


def test_counts_add_up() -> None:
    found = analyze(GOOD, GOOD, GOOD)
    assert (found.intervals, found.stable.requests, found.candidate.requests) == (3, 2700, 900)
    assert sum(found.candidate.latency) == sum(found.candidate.outputs.values()) == 900


def test_failed_intervals_count_in_a_row() -> None:
    bad, good = both(counts(150), counts(50, errors=25)), both(counts(3000), counts(1000))
    assert analyze(bad, bad).consecutive_failures == 2
    after = analyze(bad, bad, good)
    assert (after.consecutive_failures, after.verdict) == (0, "Inconclusive")
    assert analyze(bad, last=after).consecutive_failures == 1


def test_a_good_past_does_not_hide_a_broken_present() -> None:
    past = [both(counts(10_000), counts(10_000))] * 20
    assert analyze(*past).verdict == "Passed"
    found = analyze(*past, both(counts(20), counts(20, errors=20)))
    assert found.verdict == "Failed"
    assert "errors: 0.01% of 200020" in found.message
    assert "in the latest interval 100.00% of 20" in found.message


def test_a_good_past_is_no_credit_for_a_bad_present() -> None:
    """Twice the allowed rate is not enough for a quick rejection, but the earlier praise ends."""
    past = [both(counts(3000), counts(3000))] * 5
    assert analyze(*past, both(counts(600, errors=12), counts(600, errors=24))).verdict != "Passed"


def test_a_fault_that_hits_both_alike_condemns_neither() -> None:
    """The candidate's share grows from a tenth to a half just as everything becomes slow and failing."""
    quiet = [both(counts(900), counts(100))] * 10
    trouble = [both(counts(500, errors=100, slow=150), counts(500, errors=100, slow=150))] * 10
    assert analyze(*quiet, *trouble).verdict != "Failed"


def test_a_model_that_is_asked_rarely_is_judged_like_one_that_is_asked_often() -> None:
    once = both(replace(counts(900), outputs={"0.50": 900}), replace(counts(300), outputs={"0.50": 300}))
    often = both(replace(counts(9), outputs={"0.50": 9}), replace(counts(3), outputs={"0.50": 3}))
    assert analyze(once).verdict == analyze(*[often] * 100).verdict == "Passed"


def test_a_status_with_other_buckets_begins_its_latency_anew() -> None:
    """A newer operator may have other edges: shares of the old ones would be read wrongly."""
    old = AnalysisStatus(time="2026-01-01T00:00:00Z", candidate=TrackCounts(requests=300, latency=(300, 0)))
    found = analyze(GOOD, last=old)
    assert len(found.candidate.latency) == BUCKETS
    assert sum(found.candidate.latency) == 300
