"""What every way of explaining returns."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Explained:
    """`base + contributions.sum(axis=1) == outputs`, in the unit of the version's Explanation.

    outputs [rows, outputs], base [outputs], contributions [rows, features, outputs]; binary: of class 1 alone.
    """

    outputs: Floats
    base: Floats
    contributions: Floats


class Explainer(Protocol):
    """For encoded rows, float32 [rows, features]."""

    def outputs(self, rows: Matrix) -> Floats:
        """[rows, outputs] alone."""

    def __call__(self, rows: Matrix) -> Explained: ...
