"""The fast weighted figures are scikit-learn's figures."""

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_trainer.evaluation.metrics import NAMES, calibration_slope, expected_calibration_error, point, wilson
from heart_trainer.evaluation.weighted import weighted

Case = tuple[str, NDArray[np.generic], NDArray[np.float64]]


def _case(task: str, rows: int = 240) -> Case:
    rng = np.random.default_rng(5)
    if task == "regression":
        y = rng.normal(3, 2, rows)
        return task, y, (y + rng.normal(0, 1, rows))[:, None]
    k = 2 if task == "binary" else 4
    y = rng.integers(0, k, rows)
    score = np.round(rng.normal(0, 1, (rows, k)) + 1.5 * np.eye(k)[y], 1)  # rounded: scores have ties
    p = np.exp(score)
    return task, y, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("task", list(NAMES))
def test_every_metric_of_the_task_is_measured(task: str) -> None:
    assert set(point(*_case(task))) == set(NAMES[task]) == set(weighted(*_case(task), np.ones((1, 240))))


@pytest.mark.parametrize("task", list(NAMES))
def test_whole_weights_are_repeated_rows(task: str) -> None:
    _, y, output = _case(task)
    counts = np.random.default_rng(6).integers(0, 4, (5, len(y)))
    fast = weighted(task, y, output, counts.astype(float))
    for draw, weights in enumerate(counts):
        slow = point(task, np.repeat(y, weights), np.repeat(output, weights, axis=0))
        for name, value in slow.items():
            assert fast[name][draw] == pytest.approx(value, abs=2e-4), name


def test_calibration_slope_finds_the_factor_that_was_put_in() -> None:
    rng = np.random.default_rng(7)
    true = rng.normal(0, 1, 20_000)
    y = (rng.random(20_000) < 1 / (1 + np.exp(-true))).astype(int)
    too_sure = 1 / (1 + np.exp(-2 * true))
    assert calibration_slope(y, too_sure) == pytest.approx(0.5, abs=0.03)


def test_calibration_error_of_a_known_offset() -> None:
    stated = np.full(1000, 0.75)
    happened = np.arange(1000) < 600
    assert expected_calibration_error(stated, happened) == pytest.approx(0.15)


def test_one_class_alone_gives_only_what_it_defines() -> None:
    output = np.column_stack([np.full(20, 0.2), np.full(20, 0.8)])
    assert point("binary", np.ones(20, dtype=int), output) == pytest.approx({"accuracy": 1, "recall": 1, "brier": 0.04})


def test_wilson_is_doubtful_about_twelve_in_twelve() -> None:
    low, high = wilson(1.0, 12)
    assert float(low) == pytest.approx(0.757, abs=0.001)
    assert float(high) == pytest.approx(1.0)


@pytest.mark.parametrize("score", ["constant", "perfect"])
def test_degenerate_predictions_give_finite_figures(score: str) -> None:
    y = np.tile([0, 1], 50)
    p = np.full(100, 0.5) if score == "constant" else np.where(y == 1, 0.999, 0.001)
    output = np.column_stack([1 - p, p])
    figures = point("binary", y, output)
    assert figures["roc_auc"] == (0.5 if score == "constant" else 1.0)
    assert all(np.isfinite(list(figures.values())))
    assert np.isfinite(weighted("binary", y, output, np.ones((3, 100)))["brier"]).all()
