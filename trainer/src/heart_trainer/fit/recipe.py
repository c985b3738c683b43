"""What nested cross-validation repeats on each set of rows: search, calibration and fit.

Runs in processes of its own, each of which imports this module: nothing of ONNX is needed here, and takes a second.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from heart_trainer.fit import calibrate
from heart_trainer.fit import search as tune
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


def search_and_fit(x: NDArray[np.float32], y: NDArray[Any], recipe: Recipe) -> FittedModel:
    """Settings, family, calibration and fit from these rows alone; equal input gives an equal model."""
    # The order of sums depends on the number of threads, and so would the last bits. Parameters come from our own
    # search: checking them for each of a forest's trees costs an eighth of the time.
    with threadpool_limits(1), sklearn.config_context(skip_parameter_validation=True):
        rows = tune.search_rows(x, y, recipe.search.setting)
        tried = tune.run_each(recipe.search, rows)
        best = tune.simplest_of_the_best(tried, rows.y, recipe.search.score)
        model = tune.fit_one(best.algorithm, best.params, recipe.search.setting, x, y)
    method = calibrate.choose(recipe.methods, best.output, rows.y, rows.fold) if recipe.methods != ("none",) else "none"
    calibrator = calibrate.learn(method, best.output, rows.y)
    choice = FoldChoice(best.algorithm, best.params, method)
    families = tuple(FamilyResult(one.algorithm, one.params, rows.y, rows.fold, one.output) for one in tried)
    return FittedModel(choice, calibrate.CalibratedModel(model, calibrator) if calibrator else model, families)
