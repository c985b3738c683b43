"""Figures of the families that were tried: as metrics of the run, in the card and as a plot."""

import numpy as np
import pytest

from heart_trainer.evaluation.families import as_values, estimates_of, fold_figures, measure_families
from heart_trainer.report.plots import as_png
from heart_trainer.report.plots_families import draw_families
from heart_trainer.values import FamilyResult, OutOfFoldResult


def family(algorithm: str, sharpness: float, rows: int = 90) -> FamilyResult:
    """Predictions of a binary target, the better the sharper."""
    rng = np.random.default_rng(1)
    y = np.arange(rows) % 2
    p = np.clip(0.5 + sharpness * (y - 0.5) + rng.normal(0, 0.2, rows), 0.01, 0.99)
    return FamilyResult(algorithm, {}, y, np.arange(rows) % 3, np.column_stack([1 - p, p]))


FAMILIES = (family("logistic-regression", 0.5), family("random-forest", 0.1))


def test_each_family_is_measured_on_the_same_rows() -> None:
    found = measure_families("binary", FAMILIES)
    assert list(found) == ["logistic-regression", "random-forest"]
    assert found["logistic-regression"]["roc_auc"] > found["random-forest"]["roc_auc"] > 0.5


def test_mlflow_gets_a_metric_for_each_family_and_figure() -> None:
    values = as_values(measure_families("binary", FAMILIES))
    assert {"family.logistic-regression.roc_auc", "family.random-forest.brier"} <= set(values)


def test_out_of_fold_figures_are_of_the_rows_that_were_held_out() -> None:
    one = FAMILIES[0]
    output = np.vstack([one.output, np.full((10, 2), np.nan)])
    fold = np.append(one.fold, np.full(10, -1))
    judged = OutOfFoldResult(output, fold, (), {"logistic-regression": output})
    (found,) = estimates_of(judged, np.append(one.y, np.zeros(10, dtype=int)))
    assert found.params == {}, "the folds' settings differ"
    assert fold_figures("binary", found, "roc_auc") == fold_figures("binary", one, "roc_auc")
    assert measure_families("binary", [found]) == {
        "logistic-regression": measure_families("binary", [one])[one.algorithm]
    }
    values = as_values(measure_families("binary", [found]), "out_of_fold")
    assert "family.logistic-regression.out_of_fold.roc_auc" in values
    assert estimates_of(OutOfFoldResult(output, fold, ()), one.y) == ()


def test_a_fold_that_does_not_define_the_metric_is_left_out() -> None:
    one = family("ridge", 0.5)
    assert len(fold_figures("binary", one, "roc_auc")) == 3
    alone = FamilyResult("ridge", {}, np.zeros(90, dtype=int), one.fold, one.output)
    assert fold_figures("binary", alone, "roc_auc") == []


@pytest.mark.parametrize("chosen", ["logistic-regression", "random-forest"])
def test_the_plot_has_a_row_for_each_family(chosen: str) -> None:
    figure = draw_families("binary", FAMILIES, chosen)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["logistic-regression", "random-forest"]
    assert as_png(figure).startswith(b"\x89PNG")
