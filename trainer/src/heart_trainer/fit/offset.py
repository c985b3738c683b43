"""A regression's target is learnt less its mean, and the mean is added back to the answers.

float32 has 24 bits. Of a year or a temperature in kelvin most of them say the same in every row; sums over trees or
columns then lose what differs. Less the mean, a sum has all bits for the differences, and only the last step rounds.
Where even that is too coarse (a Unix timestamp within a day), the last step is made in float64, and so is the answer.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import Pipeline

from heart_trainer.errors import DataInvalid
from heart_trainer.values import Floats, Table

LEAST_STEPS = 1000
"""So many steps of the answers' precision must make up one standard deviation of the target."""


class ShiftedModel(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A pipeline that was fitted on the target less `offset`. `double`: its answers need float64."""

    def __init__(self, pipeline: Pipeline, offset: float, double: bool) -> None:
        self.pipeline, self.offset, self.double = pipeline, offset, double

    def predict(self, x: Floats) -> NDArray[np.float64]:
        return np.asarray(self.pipeline.predict(x), dtype=np.float64) + self.offset


def offset_of(y: NDArray[np.float64]) -> float:
    """The mean; as a float32 holds it where the answers are float32."""
    mean = float(np.mean(y))
    return mean if needs_double(y) else float(np.float32(mean))


def needs_double(y: NDArray[np.float64]) -> bool:
    """Whether answers in float32 could not tell the target's values apart."""
    return is_too_coarse(*_extent(y), np.float32)


def table_needs_double(table: Table) -> bool:
    return table.task == "regression" and needs_double(table.y.astype(np.float64))


def check_steps(y: NDArray[np.float64], name: str) -> None:
    """Raises DataInvalid where not even answers in float64 could tell the target's values apart."""
    check_extent(*_extent(y), name)


def check_extent(greatest: float, spread: float, name: str) -> None:
    """The same of a target whose greatest magnitude and standard deviation are known."""
    if is_too_coarse(greatest, spread, np.float64):
        raise DataInvalid(
            f"The target {name} is too large for how little it varies: float64 has steps of"
            f" {np.spacing(greatest):.2g} near its values, and its standard deviation is {spread:.2g}."
            " Subtract a constant from the column."
        )


def is_too_coarse(greatest: float, spread: float, precision: type[np.floating]) -> bool:
    """Whether a number of this precision could not tell values of this magnitude and standard deviation apart."""
    return float(np.spacing(precision(greatest))) * LEAST_STEPS > spread


def _extent(y: NDArray[np.float64]) -> tuple[float, float]:
    return float(np.abs(y).max()), float(np.std(y))
