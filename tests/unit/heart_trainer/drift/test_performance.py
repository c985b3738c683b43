"""A version's performance against its threshold: shares below it, errors above it, and what chance explains."""

from datetime import UTC, datetime

import pytest

from heart_api.retrainschedule import PerformanceCheck
from heart_log.values import Scored
from heart_trainer.drift.performance import judge_performance

UNTIL = datetime(2026, 11, 22, 6, tzinfo=UTC)


def regression(error: float, spread: float, rows: int = 200) -> list[Scored]:
    """Outcomes that are off by `error`, half of them by `spread` more and half by `spread` less."""
    return [
        Scored(outputs=(10.0,), label=None, outcome=10.0 + error + (spread if row % 2 else -spread))
        for row in range(rows)
    ]


def judged(rows: list[Scored], **check: object):
    return judge_performance(rows, (), PerformanceCheck.model_validate({"metric": "rmse"} | check), "7", UNTIL)


@pytest.mark.parametrize(
    ("error", "spread", "verdict"),
    [(6.0, 0.1, "Below"), (4.0, 0.1, "Acceptable"), (5.0, 3.0, "Uncertain")],
)
def test_an_error_is_judged_by_its_whole_interval(error, spread, verdict):
    found = judged(regression(error, spread), above=5.5 if verdict == "Uncertain" else 5)
    assert found.verdict == verdict
    assert ("above" in found.message, "not above" in found.message) == (True, verdict == "Acceptable")


def test_too_few_outcomes_decide_nothing():
    found = judged(regression(9.0, 0.1, rows=30), above=5)
    assert (found.verdict, found.samples) == ("InsufficientSamples", 30)


def test_a_metric_of_the_other_task_is_named():
    assert "choose another metric" in judged(regression(9.0, 0.1), metric="accuracy", below=0.7).message
