"""Calibration from cells: heart_trainer.fit.calibrate on weighted rows, one for each cell of every inner fold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heart_trainer.fit.calibrate import Calibrator, Method, choose, learn
from heart_trainer.sums.linear import Floats, LinearModel
from heart_trainer.sums.scores import Cells
from heart_trainer.sums.union import ForestModel


def choose_calibrator(methods: tuple[Method, ...], folds: Sequence[Cells]) -> tuple[Method, Calibrator | None]:
    """The method that wins between the folds, learnt from all of them. `folds`: answers out of fold."""
    y = np.concatenate([cells.y for cells in folds])
    output = np.concatenate([cells.output for cells in folds])
    weight = np.concatenate([cells.weight for cells in folds]).astype(float)
    fold = np.repeat(np.arange(len(folds)), [len(cells.y) for cells in folds])
    method = choose(methods, output, y, fold, weight) if methods != ("none",) else "none"
    return method, learn(method, output, y, weight)


@dataclass(frozen=True)
class CalibratedLinearModel:
    """Probabilities of a linear model, calibrated."""

    model: LinearModel
    calibrator: Calibrator

    def answers(self, x: NDArray[np.float32]) -> Floats:
        found = self.model.answers(x)
        return np.asarray(self.calibrator(np.column_stack([1 - found, found]))[:, 1])


Model = LinearModel | CalibratedLinearModel | ForestModel
"""`answers`: [rows, features] → [rows]."""
