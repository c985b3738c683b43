"""What nested cross-validation repeats on each set of rows: search, calibration and fit.

Runs in processes of its own, each of which imports this module: nothing of ONNX is needed here, and takes a second.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from heart_trainer.fit import calibrate
from heart_trainer.fit import search as tune
from heart_trainer.fit.helpers import Settings
from heart_trainer.fit.predict import predict
from heart_trainer.fit.search import Search, SearchRows, Tried
from heart_trainer.values import FamilyResult, FoldChoice


@dataclass(frozen=True)
class Recipe:
    """What nested cross-validation does with rows: the search of a model, and the calibration methods to try."""

    search: Search
    methods: tuple[calibrate.Method, ...]


@dataclass(frozen=True)
class FittedModel:
    choice: FoldChoice
    model: Any
    families: tuple[FamilyResult, ...]
    """What the search knew of each family."""
    held_out: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Predictions of the held-out rows by each family with its best settings."""


@contextmanager
def _quickly() -> Iterator[None]:
    # The order of sums depends on the number of threads, and so would the last bits. Parameters come from our own
    # search: checking them for each of a forest's trees costs an eighth of the time.
    with threadpool_limits(1), sklearn.config_context(skip_parameter_validation=True):
        yield


def search_only(x: NDArray[np.float32], y: NDArray[Any], recipe: Recipe) -> Settings:
    """The settings with which search_and_fit would fit on these rows."""
    with _quickly():
        tried = tune.run_each(recipe.search, tune.search_rows(x, y, recipe.search.setting))
    return [(one.algorithm, one.params) for one in tried]


def search_and_fit(
    x: NDArray[np.float32],
    y: NDArray[Any],
    recipe: Recipe,
    known: Settings | None = None,
    held_out: NDArray[np.float32] | None = None,
) -> FittedModel:
    """Settings, family, calibration and fit from these rows alone; equal input gives an equal model.

    `known`: what search_only found for these rows, so that there is nothing left to search.
    `held_out`: rows that every family predicts as well, each fitted once on the rows `x` for it.
    """
    with _quickly():
        rows = tune.search_rows(x, y, recipe.search.setting)
        tried = (
            tune.run_each(recipe.search, rows)
            if known is None
            else [tune.judge(algorithm, params, recipe.search, rows) for algorithm, params in known]
        )
        best = tune.simplest_of_the_best(tried, rows.y, recipe.search.score)
        model, method = fit_and_calibrate(best, rows, recipe, x, y)
        predicted: dict[str, NDArray[np.float64]] = {}
        if held_out is not None and len(tried) > 1:
            for one in tried:
                fitted = model if one is best else fit_and_calibrate(one, rows, recipe, x, y)[0]
                predicted[one.algorithm] = predict(fitted, held_out)
    choice = FoldChoice(best.algorithm, best.params, method)
    families = tuple(FamilyResult(one.algorithm, one.params, rows.y, rows.fold, one.output) for one in tried)
    return FittedModel(choice, model, families, predicted)


def fit_and_calibrate(
    one: Tried, rows: SearchRows, recipe: Recipe, x: NDArray[np.float32], y: NDArray[Any]
) -> tuple[Any, calibrate.Method]:
    """A family with its best settings, fitted on all rows and calibrated on what it predicted in the search."""
    model = tune.fit_one(one.algorithm, one.params, recipe.search.setting, x, y)
    method: calibrate.Method = "none"
    if recipe.methods != ("none",):
        method = calibrate.choose(recipe.methods, one.output, rows.y, rows.fold)
    calibrator = calibrate.learn(method, one.output, rows.y)
    return (calibrate.CalibratedModel(model, calibrator) if calibrator else model), method
