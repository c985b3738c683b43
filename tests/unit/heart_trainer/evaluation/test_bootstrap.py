"""Intervals cover the truth, keep the classes, and are not narrowed by repeated rows."""

import time

import numpy as np
import pytest

from heart_trainer.evaluation.bootstrap import Sample, draw, interval, replicate
from heart_trainer.evaluation.metrics import point


def _sample(rows: int, seed: int) -> Sample:
    """Two normal distributions at a distance of one: AUC 0.760, accuracy at the best threshold 0.691."""
    rng = np.random.default_rng(seed)
    y = (np.arange(rows) % 2).astype(np.int64)
    p = 1 / (1 + np.exp(-(rng.normal(y, 1) - 0.5)))
    return Sample("binary", y, np.column_stack([1 - p, p]), np.arange(rows))


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = {"roc_auc": 0.7602, "accuracy": 0.6915}
    held = dict.fromkeys(truth, 0)
    for seed in range(80):
        sample = _sample(120, seed)
        figures, replicates = point(sample.task, sample.y, sample.output), replicate(sample, seed)
        for name, value in truth.items():
            low, high = interval(name, figures[name], replicates[name]) or (1.0, 0.0)
            held[name] += low <= value <= high
    assert all(0.88 <= count / 80 <= 0.995 for count in held.values()), held


def test_the_calibration_error_of_honest_probabilities_may_be_nothing() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(300)
    y = (rng.random(300) < p).astype(np.int64)
    sample = Sample("binary", y, np.column_stack([1 - p, p]), np.arange(300))
    estimate = point(sample.task, sample.y, sample.output)["ece"]
    low, high = interval("ece", estimate, replicate(sample, 0)["ece"]) or (1.0, 0.0)
    assert low < 0.03
    assert high >= estimate


def test_each_class_keeps_its_rows() -> None:
    sample = _sample(101, 0)
    weights = np.concatenate(list(draw(sample, 0)))
    assert weights.shape == (1000, 101)
    assert set(weights[:, sample.y == 1].sum(axis=1)) == {50.0}
    assert set(weights[:, sample.y == 0].sum(axis=1)) == {51.0}


def test_repeated_rows_narrow_nothing() -> None:
    once = _sample(150, 1)
    twice = Sample("binary", np.tile(once.y, 2), np.tile(once.output, (2, 1)), np.tile(once.groups, 2))
    assert (twice.n, twice.events) == (once.n, once.events) == (150, 75)
    widths = [np.ptp(np.quantile(replicate(s, 0)["roc_auc"], (0.025, 0.975))) for s in (once, twice)]
    assert widths[1] == pytest.approx(widths[0], rel=0.01)


def test_equal_seeds_give_equal_intervals() -> None:
    first, second = (replicate(_sample(100, 2), 42)["brier"] for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("rows", "seconds"), [(303, 2), (20_000, 30)])
def test_a_thousand_resamples_are_quick(rows: int, seconds: float) -> None:
    start = time.process_time()
    replicate(_sample(rows, 3), 0)
    assert time.process_time() - start < seconds
