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


FOUR = np.array([[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0.1, 0.6, 0.2, 0.1], [0.1, 0.2, 0.6, 0.1]])
"""Chooses 0, 0, 1, 2."""


@pytest.mark.filterwarnings("error")
def test_a_class_that_does_not_occur_counts_as_missed() -> None:
    """Otherwise a model would gain by a class that it never finds."""
    y = np.array([0, 1, 1, 2])
    expected = {"recall": (1 + 0.5 + 1 + 0) / 4, "precision": (0.5 + 1 + 1 + 0) / 4, "f1": (4 / 3 + 1) / 4}
    expected["f1"] = (2 / 3 + 2 / 3 + 1 + 0) / 4
    once = weighted("multiclass", y, FOUR, np.ones((1, 4)))
    for name, value in expected.items():
        assert point("multiclass", y, FOUR)[name] == pytest.approx(value), name
        assert once[name].tolist() == pytest.approx([value]), name


def test_weights_apply_to_scores_that_do_not_add_up_to_one() -> None:
    y, weights = np.array([0, 1, 1, 2]), np.array([[1.0, 2, 0, 1], [0, 1, 3, 0]])
    plain, scaled = (weighted("multiclass", y, FOUR * factor, weights) for factor in (1, [[2], [3], [5], [7]]))
    for name, values in plain.items():
        assert scaled[name].tolist() == pytest.approx(values.tolist(), nan_ok=True), name


@pytest.mark.parametrize(
    ("task", "kind"), [("regression", np.int8), ("multiclass", np.float64), ("multiclass", np.int8)]
)
def test_the_outcomes_number_type_changes_no_figure(task: str, kind: type[np.generic]) -> None:
    y = np.array([0, 1, 1, 2]) if task == "multiclass" else np.array([100, 120, -90, 3])
    output = FOUR if task == "multiclass" else np.array([[90.0], [110.0], [-80.0], [0.0]])
    weights = np.array([[1.0, 2, 1, 1]])
    expected, found = (weighted(task, y.astype(each), output, weights) for each in (np.int64, kind))
    for name, values in expected.items():
        assert found[name].tolist() == pytest.approx(values.tolist(), nan_ok=True), name


def test_one_of_several_classes_alone_has_an_accuracy() -> None:
    assert point("multiclass", np.array([0, 0, 0]), FOUR[:3]) == pytest.approx({"accuracy": 2 / 3})
