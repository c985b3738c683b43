"""The values that the trainer's packages pass to each other.

load ──Table──► fit ──Fitted──► evaluate, compare, plots, card ──► tracking ──► TrainingOutcome
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.evaluation import Finding, Task

Floats = NDArray[np.float32] | NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Whole:
    """The dataset that a table is a sample of. `class_counts`: rows of each class, empty for regression."""

    rows: int
    class_counts: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """The rows of a dataset that has passed its contract.

    `rows`: the contract's features in its order; numbers float64, booleans 0/1, a category as the value that the
    contract lists, missing as NaN. `x`: the same as float32 [rows, features], encoded as `Feature` says.
    `y`: class index (binary, multiclass) or float64 (regression). `classes`: what the indices stand for, of two the
    positive one last: the contract's labels, else the target's own values ((0, 1) with positiveAbove); empty for
    regression.
    """

    rows: pd.DataFrame
    x: NDArray[np.float32]
    y: Integers | NDArray[np.float64]
    classes: tuple[int | str, ...]
    keys: tuple[str, ...]
    """HMAC-SHA256 of each raw row (features and target); equal rows share a key."""
    groups: Integers
    """Equal feature rows share a group, and therefore a fold."""
    raw_sha256: str
    """`sha256:<hex>` of the file's bytes."""
    synthetic: bool
    task: Task
    duplicates: int
    """Rows that repeat an earlier one (features and target)."""
    reading: tuple[str, ...] = ()
    """How the file was read, for people."""
    findings: tuple[Finding, ...] = ()
    """What is suspicious about the file."""
    whole: Whole | None = None
    """None if these are all rows of the dataset."""

    @property
    def all_rows(self) -> int:
        """Rows of the dataset."""
        return self.whole.rows if self.whole else len(self)

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Parity:
    """Where pipeline and ONNX file differ most, beside what is allowed there; both in the output's unit."""

    difference: float
    allowed: float

    @property
    def holds(self) -> bool:
        return self.difference <= self.allowed  # NaN does not


@dataclass(frozen=True)
class FoldChoice:
    """What the search chose without seeing the rows of this fold."""

    algorithm: str
    params: dict[str, Any]
    calibration: str
    """none, sigmoid or isotonic."""


@dataclass(frozen=True)
class OutOfFoldResult:
    """Predictions of models that did not see the row.

    With `holdout`, only the rows kept out are judged; the others have fold -1 and NaN. The final model has learnt
    those, and no prediction of theirs is honest: store an empty tuple for their keys, so that a comparison skips them.
    """

    output: NDArray[np.float64]
    """[rows, classes] probabilities, or [rows, 1] (regression)."""
    fold: Integers
    choices: tuple[FoldChoice, ...]
    """One for each fold."""
    families: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """The same predictions for each family that every fold tried, in the order in which they were; none where there
    were too many rows to fit them all."""

    @property
    def judged(self) -> NDArray[np.bool_]:
        """[rows]: True where the prediction is of a model that was not trained on the row."""
        return np.asarray(self.fold >= 0)


@dataclass(frozen=True)
class FamilyResult:
    """A family with its best settings in the final search, cross-validated on the inner folds."""

    algorithm: str
    params: dict[str, Any]
    y: NDArray[Any]
    """[rows of the search]"""
    fold: Integers
    output: NDArray[np.float64]
    """[rows, …]: predictions of models that did not see the row."""

    def rows_of_folds(self) -> list[NDArray[np.bool_]]:
        return [np.asarray(self.fold == k) for k in range(int(self.fold.max()) + 1)]


@dataclass(frozen=True)
class Fitted:
    """The final model, fitted on all rows (with `holdout`: on all but those kept out), and its honest estimates."""

    algorithm: str
    params: dict[str, Any]
    calibration: str
    pipeline: Any
    """scikit-learn estimator; takes `Table.x`. None: the ONNX file is all that there is."""
    oof: OutOfFoldResult
    onnx: bytes
    """model.onnx without the serving package."""
    parity: Parity
    """Between pipeline and ONNX file, on real and on random rows."""
    left_out: tuple[Finding, ...] = ()
    """Families that could not be served, and were not tried."""
    families: tuple[FamilyResult, ...] = ()
    """Families that were tried, simplest first."""
