"""Three classic leaks, injected into data in which there is nothing to find: each is caught, the trainer is clean.

Encoding and tuning outside the folds claim skill that is not there, and the intervals show it. Scaling outside the
folds moves no score: what catches all three is that held-out rows have a say in their own prediction.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from heart_api.evaluation import Estimate as Figure
from heart_trainer.data.rows import EqualRowsTogether
from heart_trainer.evaluation.evaluate import measure
from heart_trainer.fit.nested_cv import cross_fit, make_recipe
from heart_trainer.values import OutOfFoldResult
from tests.support.trainer.leakage import Estimate, Fold, Output, X, Y, leaking_folds
from tests.support.trainer.requests import category, number, request, table

LEVELS = 30
FEATURES = (
    *(number(f"n{i}") for i in range(6)),
    category("ward", *range(LEVELS)),
)
ROWS = 120


@pytest.fixture(scope="module")
def noise() -> tuple[X, Y, Fold]:
    rng = np.random.default_rng(5)
    x = np.column_stack([rng.normal(0, 1, (ROWS, 6)), rng.integers(0, LEVELS, ROWS)]).astype(np.float32)
    y = rng.permutation(np.arange(ROWS) % 2)
    return x, y, EqualRowsTogether(3, 42, stratify=True).folds(x, y)


def trainer(x: X, y: Y, fold: Fold) -> Output:
    """The product's own procedure: settings, family and calibration, all chosen anew in each fold."""
    wanted = request(
        FEATURES, algorithms=("logistic-regression", "gradient-boosting"), tuning={"trials": 1}, calibration="sigmoid"
    )
    recipe = make_recipe(table(x, y, 2), wanted, wanted.training.algorithms or (), tasks=4)
    return cross_fit(x, y, fold, recipe, lambda _: None)[1].output[:, 1]


def folds_only(x: NDArray[np.float64], y: Y, fold: Fold) -> Output:
    """A linear model for each fold, honest as far as it goes. The leaks below happen before it."""
    inputs, output = np.column_stack([np.ones(len(y)), x]), np.empty(len(y))
    for k in range(int(fold.max()) + 1):
        weights = np.linalg.lstsq(inputs[fold != k], y[fold != k])[0]
        output[fold == k] = np.clip(inputs[fold == k] @ weights, 0.01, 0.99)
    return output


def scaled_outside(x: X, y: Y, fold: Fold) -> Output:
    numbers = x[:, :6].astype(np.float64)
    return folds_only((numbers - numbers.mean(axis=0)) / numbers.std(axis=0), y, fold)


def encoded_outside(x: X, y: Y, fold: Fold) -> Output:
    """A ward becomes the share of positives among all its rows, those to be judged among them."""
    shares = np.array([y[x[:, 6] == level].mean() if (x[:, 6] == level).any() else 0.5 for level in range(LEVELS)])
    return folds_only(shares[x[:, 6].astype(int)][:, None], y, fold)


def tuned_outside(x: X, y: Y, fold: Fold) -> Output:
    """The best of 200 settings by the very score that is reported."""
    settings = np.random.default_rng(0).normal(0, 3, (200, 6))
    tries = [folds_only(np.cos(x[:, :6] @ setting)[:, None], y, fold) for setting in settings]
    return max(tries, key=lambda output: roc_auc_score(y, output))


def claimed_auc(estimate: Estimate, noise: tuple[X, Y, Fold]) -> Figure:
    x, y, fold = noise
    output = estimate(x, y, fold)
    oof = OutOfFoldResult(np.column_stack([1 - output, output]), fold, ())
    return measure(table(x, y, 2), FEATURES, oof, seed=42).metrics["roc_auc"]


def test_the_trainer_claims_nothing_on_noise(noise: tuple[X, Y, Fold]) -> None:
    figure = claimed_auc(trainer, noise)
    assert figure.low <= 0.5, figure
    assert figure.estimate < 0.58, figure


def test_no_held_out_row_reaches_its_own_model(noise: tuple[X, Y, Fold]) -> None:
    assert leaking_folds(trainer, *noise) == []


@pytest.mark.parametrize("leak", [scaled_outside, encoded_outside, tuned_outside])
def test_each_leak_is_caught(leak: Estimate, noise: tuple[X, Y, Fold]) -> None:
    assert leaking_folds(leak, *noise) == [0, 1, 2]


@pytest.mark.parametrize("leak", [encoded_outside, tuned_outside])
def test_supervised_leaks_claim_skill_that_is_not_there(leak: Estimate, noise: tuple[X, Y, Fold]) -> None:
    assert claimed_auc(leak, noise).low > 0.5


def test_without_the_leak_the_same_models_are_clean(noise: tuple[X, Y, Fold]) -> None:
    def honest(x: X, y: Y, fold: Fold) -> Output:
        return folds_only(x[:, :6].astype(np.float64), y, fold)

    assert leaking_folds(honest, *noise) == []
