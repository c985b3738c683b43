"""The page says what was measured, and whether the goals were met."""

from datetime import UTC, datetime

from benchmarks.training import LARGER, Case, Cost, Row, measured_apart, write_page

SMALL = Case(303, 13, ("logistic-regression",), 5)
LARGE = Case(1_000_000, 20, ("logistic-regression",), 0, holdout=0.2)
WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def page(ours: float, gib: float) -> str:
    rows = [Row(SMALL, Cost(70, ours, 0.5), Cost(60, 20, 0.3)), Row(LARGE, Cost(300, 290, gib), Cost(60, 50, 1.0))]
    return write_page(rows, 0.5, "a machine", WHEN)


def test_goals_that_were_met() -> None:
    text = page(24, 3.2)
    assert "| 303 x 13 | logistic-regression; 5 trials; 5 folds | 24.0 s | 70.0 s |" in text
    assert "by processor time: 1.20 times, +4.0 s: met" in text
    assert "by the clock: 1.17 times, +10.0 s: met" in text
    assert "1,000,000 rows in at most 4 GiB: 3.20 GiB: met" in text
    assert "50% of it in use by others" in text


def test_goals_that_were_missed() -> None:
    text = page(40, 5.0)
    assert "2.00 times, +20.0 s: **missed**" in text
    assert "5.00 GiB: **missed**" in text


def test_what_was_measured_apart_is_kept() -> None:
    assert measured_apart("# What a training costs\n\ntext\n") == ""
    page = f"# What a training costs\n\n{LARGER}\n\ntable\n"
    assert measured_apart(page) == f"\n{LARGER}\n\ntable\n"
    assert measured_apart(f"new\n{measured_apart(page)}") == measured_apart(page), "however often the page is written"
