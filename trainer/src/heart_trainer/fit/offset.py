"""A regression's target is learnt less its mean, and the mean is added back to the answers.

float32 has 24 bits. Of a year or a temperature in kelvin most of them say the same in every row; sums over trees or
columns then lose what differs. Less the mean, a sum has all bits for the differences, and only the last step rounds.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import Pipeline

from heart_api.package import ONNX_OUTPUT
from heart_trainer.errors import DataInvalid
from heart_trainer.values import Floats

LEAST_STEPS = 1000
"""So many steps of float32 must make up one standard deviation of the target."""
BEFORE = "less_offset"


class ShiftedModel(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A pipeline that was fitted on the target less `offset`."""

    def __init__(self, pipeline: Pipeline, offset: float) -> None:
        self.pipeline, self.offset = pipeline, offset

    def predict(self, x: Floats) -> NDArray[np.float64]:
        return np.asarray(self.pipeline.predict(x), dtype=np.float64) + self.offset


def offset_of(y: NDArray[np.float64]) -> float:
    """The mean, as a float32 holds it."""
    return float(np.float32(np.mean(y)))


def check_steps(y: NDArray[np.float64], name: str) -> None:
    """Raises DataInvalid where answers in float32 could not tell the target's values apart."""
    check_steps_of(float(np.abs(y).max()), float(np.std(y)), name)


def check_steps_of(greatest: float, spread: float, name: str) -> None:
    """The same of a target whose greatest magnitude and standard deviation are known."""
    step = float(np.spacing(np.float32(greatest)))
    if step * LEAST_STEPS > spread:
        raise DataInvalid(
            f"The target {name} is too large for how little it varies: answers are float32, which near its values has "
            f"steps of {step:.2g}, and its standard deviation is {spread:.2g}. Subtract a constant from the column."
        )


def append_offset(model: onnx.ModelProto, offset: float) -> None:
    """Adds the offset in place: to the base value of a tree ensemble, so that it stays one node, else as an Add."""
    last = next(node for node in model.graph.node if ONNX_OUTPUT in node.output)
    if last.op_type == "TreeEnsembleRegressor":
        _raise_base(last, offset)
        return
    for node in model.graph.node:
        node.input[:] = [BEFORE if name == ONNX_OUTPUT else name for name in node.input]
        node.output[:] = [BEFORE if name == ONNX_OUTPUT else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array([offset], np.float32), "offset"))
    model.graph.node.append(helper.make_node("Add", [BEFORE, "offset"], [ONNX_OUTPUT]))


def _raise_base(trees: onnx.NodeProto, offset: float) -> None:
    base = next((attribute for attribute in trees.attribute if attribute.name == "base_values"), None)
    if base is None:
        trees.attribute.append(helper.make_attribute("base_values", [offset]))
    else:
        base.floats[:] = [value + offset for value in base.floats]
