"""XGBoost's trees: their ONNX form answers alike at thresholds and for missing values, and equal runs are equal."""

from typing import Any

import numpy as np
import pytest

from heart_trainer.fit import families
from heart_trainer.fit.boosted import BoostedClassifier, BoostedRegressor, margin_of
from heart_trainer.fit.boosted_graph import nodes_of
from heart_trainer.fit.onnx_export import is_double, run_onnx, to_bytes
from heart_trainer.fit.search import fit_one
from tests.support.trainer.fitted_models import TASKS, fitted, fitted_anew, problem
from tests.support.trainer.requests import MIXED, number


def at_thresholds(model: Any, x: np.ndarray) -> np.ndarray:
    """Rows with each number at a threshold of its column, just below it, just above it, and missing."""
    pipeline = getattr(model, "pipeline", model)
    nodes = nodes_of(pipeline[-1])
    rows = []
    for column in (0, 1):
        thresholds = nodes.value[~nodes.leaf & (nodes.column == column)]
        below = np.nextafter(thresholds, np.float32(-np.inf))
        above = np.nextafter(thresholds, np.float32(np.inf))
        values = np.concatenate([thresholds, below, above, [np.float32(np.nan)]])
        found = np.repeat(x[:1], len(values), axis=0)
        found[:, column] = values
        rows.append(found)
    return np.vstack(rows)


@pytest.mark.parametrize("task", list(TASKS))
def test_values_at_thresholds_and_missing_ones_go_the_same_way(task: str) -> None:
    rows = problem(task)
    model = fitted("xgboost", rows)
    x = at_thresholds(model, rows.x)
    assert len(x) > 50
    assert np.isnan(x).any()
    expected = model.predict(x)[:, None] if task == "regression" else model.predict_proba(x)
    scale = float(np.std(rows.y)) if task == "regression" else 1.0
    assert np.abs(run_onnx(to_bytes(model, 5), x) - expected).max() <= 1e-5 * scale


@pytest.mark.parametrize("task", list(TASKS))
def test_equal_rows_make_equal_bytes(task: str) -> None:
    rows = problem(task)
    assert to_bytes(fitted_anew("xgboost", rows), 5) == to_bytes(fitted_anew("xgboost", rows), 5)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
def test_the_sum_begins_where_xgboost_begins(share: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 2)).astype(np.float32)
    y = (np.arange(4000) < 4000 * share).astype(np.int64)
    model = BoostedClassifier(n_estimators=0).fit(x, y)
    assert model.decision_function(x[:1])[0] == pytest.approx(margin_of(share), abs=1e-6)
    assert model.predict_proba(x[:1])[0, 1] == pytest.approx(share, rel=1e-4)


def test_a_target_that_needs_float64_gets_it() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 1)).astype(np.float32)
    y = 1.7e9 + 3600 * x[:, 0].astype(np.float64)  # a Unix timestamp within hours
    model = fit_one("xgboost", {}, families.Setting((number("x"),), True, 0), x, y)
    converted = to_bytes(model, 1)
    assert is_double(converted)
    assert np.abs(run_onnx(converted, x)[:, 0] - model.predict(x)).max() < 0.1
    assert np.abs(model.predict(x) - y).std() < 0.2 * y.std()


def test_it_is_tried_only_where_it_is_named() -> None:
    for regression in (False, True):
        assert "xgboost" not in families.by_default(regression)
        assert "xgboost" not in families.members(regression)
    assert "xgboost" in families.CLASSIFIERS
    assert "xgboost" in families.REGRESSORS


def test_settings_of_a_trial_reach_the_trees() -> None:
    x, y = problem("regression").x, problem("regression").y
    small = families.build("xgboost", {"n_estimators": 3, "max_depth": 1}, families.Setting(MIXED, True, 0))
    trees = nodes_of(small.fit(x, y)[-1])
    assert isinstance(small[-1], BoostedRegressor)
    assert len(np.unique(trees.tree)) == 3
    assert (~trees.leaf).sum() == 3, "one branch in each"
