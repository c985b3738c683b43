"""After a promotion: only what is beyond doubt over a critical alert bound speaks against the version."""

from datetime import UTC, datetime
from typing import Any

import pytest

from heart_api.heartmodel import Alerts
from heart_api.status import PostPromotionStatus
from heart_operator.plan.analysis.counts import Counts
from heart_operator.plan.analysis.watch import analyse_serving
from heart_operator.plan.observed import AnalysisSample
from tests.support.plan.simulated_traffic import counts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def analyze(*samples: AnalysisSample, last: PostPromotionStatus | None = None, **alerts: Any) -> PostPromotionStatus:
    """The watch after these samples, stored and read back between."""
    for sample in samples:
        last = analyse_serving(Alerts.model_validate(alerts), last, sample, NOW)
        last = PostPromotionStatus.model_validate(last.dump())
    assert last is not None
    return last


def of(found: Counts) -> AnalysisSample:
    return AnalysisSample(found)


INTERVALS = [
    ("well", counts(1000), 0, ""),
    ("nobody asks", Counts(), 0, ""),
    ("over the warning, under the critical bound", counts(1000, errors=40), 0, ""),
    ("a little over it, by chance?", counts(100, errors=8), 0, ""),
    (
        "every second request fails",
        counts(40, errors=20),
        1,
        "errors: 50.00% of 40 were answered with 5xx, the critical threshold is 5.00%",
    ),
    ("twice the bound for long", counts(3000, errors=300), 1, "errors: 10.00% of 3000"),
    ("a third is slower than a second", counts(300, slow=100), 0, ""),
    ("users' mistakes", counts(300, invalid=300), 0, ""),
]


@pytest.mark.parametrize(("seen", "bad", "text"), [row[1:] for row in INTERVALS], ids=[row[0] for row in INTERVALS])
def test_intervals(seen: Counts, bad: int, text: str) -> None:
    found = analyze(of(seen))
    assert found.consecutive_failures == bad, found.message
    assert text in found.message
    assert bool(found.message) == bool(bad)


def test_the_bounds_are_the_alerts_own() -> None:
    slow = of(counts(300, slow=100))  # beyond 500 ms, within 1 s
    assert analyze(slow, latencyP95={"warning": "100ms", "critical": "500ms"}).consecutive_failures == 1
    assert analyze(of(counts(40, errors=20)), errorRate={"warning": 0.02, "critical": 0.6}).consecutive_failures == 0


def test_failed_intervals_count_in_a_row_and_a_blip_resets_them() -> None:
    bad, good = of(counts(200, errors=100)), of(counts(1000))
    assert analyze(bad, bad, bad).consecutive_failures == 3
    assert analyze(bad, bad, good).consecutive_failures == 0


def test_a_good_hour_does_not_hide_a_bad_minute() -> None:
    assert analyze(*[of(counts(5000))] * 50, of(counts(40, errors=20))).consecutive_failures == 1


def test_what_cannot_be_read_neither_accuses_nor_forgives() -> None:
    found = analyze(of(counts(40, errors=20)), AnalysisSample(error="Prometheus does not answer"))
    assert found.consecutive_failures == 1
    assert "Prometheus does not answer" in found.message


def test_an_interval_without_requests_changes_nothing() -> None:
    bad, nothing = of(counts(40, errors=20)), of(Counts())
    assert analyze(bad, nothing, nothing) == analyze(bad)
    assert analyze(of(counts(9)), AnalysisSample(error="Prometheus does not answer"), nothing).message == ""


def test_counts_since_the_promotion() -> None:
    found = analyze(of(counts(100, errors=1, slow=3)), of(counts(50, invalid=2)))
    assert (found.requests, found.errors, found.predictions, found.slow) == (150, 1, 147, 0)
