"""The search: what it tries, what it prefers, and when it stops."""

import time
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from heart_trainer.errors import DataInvalid
from heart_trainer.fit import families
from heart_trainer.fit import search as tune
from heart_trainer.fit.families import Setting
from heart_trainer.fit.scoring import scorer
from heart_trainer.fit.search import Search, Tried, paired_lead, run, search_rows, simplest_of_the_best
from tests.support.trainer.requests import MIXED, mixed_rows

SETTING = Setting(MIXED, False, 42)


def search(*algorithms: Any, trials: int = 3, seconds: float = 60) -> Search:
    return Search(algorithms, trials, seconds, scorer(None, "binary")[1], SETTING)


def data(rows: int = 300) -> tune.SearchRows:
    x, score = mixed_rows(rows)
    return search_rows(x, (score > 1).astype(np.int64), SETTING)


def test_without_trials_the_defaults_are_taken() -> None:
    assert run(search("random-forest", trials=0), data()).params == families.defaults("random-forest")


def test_better_settings_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(families._DEFAULTS, "logistic-regression", {"C": 1e-3})
    rows = data(2000)
    before = tune.judge("logistic-regression", {"C": 1e-3}, search(), rows)
    found = run(search("logistic-regression", trials=10), rows)
    assert found.params["C"] > 1e-2
    assert found.scores.mean() > before.scores.mean()


def test_a_search_out_of_time_still_judges_every_family_once() -> None:
    started = time.monotonic()
    best = run(search("logistic-regression", "gradient-boosting", trials=1000, seconds=0.0), data())
    assert best.params == families.defaults(best.algorithm)
    assert time.monotonic() - started < 60


def test_a_stack_takes_the_tuned_settings_of_its_members() -> None:
    rows = data(150)
    found = {a: run(search(a, trials=1), rows) for a in ("logistic-regression", "random-forest", "gradient-boosting")}
    stack = tune._tune("stacking", search("stacking"), rows, 0.0, found)
    assert stack.params == {name: one.params for name, one in found.items()}


def tried(name: Any, output: np.ndarray, y: np.ndarray) -> Tried:
    return Tried(name, {}, np.full(3, roc_auc_score(y, output[:, 1])), output)


def predictions(y: np.ndarray, signal: float, seed: int) -> np.ndarray:
    p = 1 / (1 + np.exp(-(signal * (y - 0.5) + np.random.default_rng(seed).normal(0, 1, len(y)))))
    return np.column_stack([1 - p, p])


def test_a_simpler_family_wins_unless_clearly_beaten() -> None:
    y = np.arange(300) % 2
    score = scorer("roc_auc", "binary")[1]
    weak, same, strong = (predictions(y, s, i) for i, s in enumerate((1.5, 1.6, 3.0)))
    simple, close, far = (
        tried("logistic-regression", weak, y),
        tried("random-forest", same, y),
        tried("stacking", strong, y),
    )
    assert simplest_of_the_best([simple, close], y, score) is simple
    assert simplest_of_the_best([simple, close, far], y, score) is far


def test_the_error_of_a_lead_is_what_repeated_sampling_shows() -> None:
    y = np.arange(400) % 2
    score = scorer("roc_auc", "binary")[1]
    leads = [paired_lead(predictions(y, 2, 2 * s), predictions(y, 1.6, 2 * s + 1), y, score) for s in range(40)]
    spread = np.std([lead for lead, _ in leads])
    assert np.mean([error for _, error in leads]) == pytest.approx(spread, rel=0.35)


def test_the_search_looks_at_a_bounded_number_of_rows() -> None:
    x, score = mixed_rows(tune.SEARCH_ROWS + 500)
    rows = search_rows(x, (score > 1).astype(np.int64), SETTING)
    assert len(rows.y) == tune.SEARCH_ROWS


def test_a_metric_of_another_task_is_rejected() -> None:
    with pytest.raises(DataInvalid, match="rmse, mae, r2"):
        scorer("roc_auc", "regression")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_greater_is_better_for_every_metric(task: Any) -> None:
    y = np.arange(90) % (3 if task == "multiclass" else 2)
    good = np.eye(y.max() + 1)[y] * 0.8 + 0.2 / (y.max() + 1) if task != "regression" else y[:, None] + 0.1
    bad = np.full_like(good, good.mean()) + np.random.default_rng(0).uniform(0, 0.01, good.shape)
    if task != "regression":
        bad /= bad.sum(axis=1, keepdims=True)
    for metric in (
        ("accuracy", "f1", "roc_auc", "pr_auc", "brier", "log_loss") if task != "regression" else ("rmse", "mae", "r2")
    ):
        score = scorer(metric, task)[1]
        assert score(y, good) > score(y, bad), metric


def test_probabilities_in_float32_are_no_reason_to_warn():
    """Of three classes, as a linear family answers: the sums miss one by a rounding error."""
    y = np.arange(300) % 3
    p = np.random.default_rng(1).dirichlet([1, 1, 1], 300).astype(np.float32).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scorer("log_loss", "multiclass")[1](y, p) < 0
