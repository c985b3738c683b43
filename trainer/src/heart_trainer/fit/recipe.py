"""What nested cross-validation repeats on each set of rows: search, calibration and fit.

Runs in processes of its own, each of which imports this module: nothing of ONNX is needed here, and takes a second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from heart_trainer.fit import calibrate
from heart_trainer.fit import search as tune
from heart_trainer.fit.helpers import Settings
from heart_trainer.fit.search import Search
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
    x: NDArray[np.float32], y: NDArray[Any], recipe: Recipe, known: Settings | None = None
) -> FittedModel:
    """Settings, family, calibration and fit from these rows alone; equal input gives an equal model.

    `known`: what search_only found for these rows, so that there is nothing left to search.
    """
    with _quickly():
        rows = tune.search_rows(x, y, recipe.search.setting)
        tried = (
            tune.run_each(recipe.search, rows)
            if known is None
            else [tune.judge(algorithm, params, recipe.search, rows) for algorithm, params in known]
        )
        best = tune.simplest_of_the_best(tried, rows.y, recipe.search.score)
        model = tune.fit_one(best.algorithm, best.params, recipe.search.setting, x, y)
    method = calibrate.choose(recipe.methods, best.output, rows.y, rows.fold) if recipe.methods != ("none",) else "none"
    calibrator = calibrate.learn(method, best.output, rows.y)
    choice = FoldChoice(best.algorithm, best.params, method)
    families = tuple(FamilyResult(one.algorithm, one.params, rows.y, rows.fold, one.output) for one in tried)
    return FittedModel(choice, calibrate.CalibratedModel(model, calibrator) if calibrator else model, families)
