"""Model outputs to answers: class, label and probability, or a value."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from heart_api.package import ServingPackage
from heart_model.labels import class_labels, class_values
from heart_serving.errors import Problem

Outputs = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """How the outputs of one version are read; built once.

    binary: class 1 when its probability reaches the threshold; `probability` is always that of class 1.
    multiclass: the most probable class and its probability, and all of them by label. regression: the value.
    """

    task: str
    classes: tuple[int | str, ...]
    labels: tuple[str, ...]
    threshold: float
    double: bool = False
    """A regression's value is float64."""

    @classmethod
    def of(cls, package: ServingPackage) -> "Answers":
        classes, labels = class_values(package), class_labels(package)
        return cls(package.task, classes, labels, package.threshold, package.double)

    def chosen(self, outputs: Outputs) -> list[int]:
        """[rows]: index of the predicted class; for binary models by the decision threshold."""
        if self.task == "binary":
            return [int(probability >= self.threshold) for probability in outputs[:, 1].tolist()]
        chosen: list[int] = outputs.argmax(axis=1).tolist()
        return chosen

    def read(self, outputs: Outputs) -> list[dict[str, Any]]:
        """One answer per row. Raises Problem 500 when the model answers NaN: no input that is valid may do that."""
        rows = outputs.tolist()
        if not all(isfinite(sum(row)) for row in rows):
            raise Problem(500, "the model gave no finite answer to these records")
        if self.task == "regression":
            return [{"prediction": row[0]} for row in rows]
        answers = zip(self.chosen(outputs), rows, strict=True)
        if self.task == "binary":
            return [self._class(choice) | {"probability": row[1]} for choice, row in answers]
        return [
            self._class(choice)
            | {"probability": row[choice], "probabilities": dict(zip(self.labels, row, strict=True))}
            for choice, row in answers
        ]

    def plain(self, outputs: Outputs) -> list[Any]:
        """The same for protocols in which an answer with a single field is that field's value (a regression's)."""
        answers = self.read(outputs)
        return answers if self.classes else [answer["prediction"] for answer in answers]

    def _class(self, choice: int) -> dict[str, Any]:
        return {"prediction": self.classes[choice], "label": self.labels[choice]}
