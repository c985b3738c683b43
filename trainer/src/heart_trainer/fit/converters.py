"""Histogram boosting for skl2onnx: its own converter hands numpy scalars to onnx, which takes plain numbers only.

Thresholds become float32 as well, rounded down: for a float32 x, `x <= t` and `x <= floor32(t)` are the same.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from skl2onnx.operator_converters.random_forest import (
    convert_sklearn_random_forest_classifier,
    convert_sklearn_random_forest_regressor_converter,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

Convert = Callable[[Any, Any, Any], None]
CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


def register() -> None:
    """Register this module's converters with skl2onnx, in place of its own. Idempotent."""
    update_registered_converter(
        HistGradientBoostingClassifier,
        "HeartHistGradientBoostingClassifier",
        calculate_linear_classifier_output_shapes,
        _with_plain_numbers(convert_sklearn_random_forest_classifier),
        overwrite=True,
        options=CLASSIFIER_OPTIONS,
    )
    update_registered_converter(
        HistGradientBoostingRegressor,
        "HeartHistGradientBoostingRegressor",
        calculate_linear_regressor_output_shapes,
        _with_plain_numbers(convert_sklearn_random_forest_regressor_converter),
        overwrite=True,
    )


def floor32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Each float64 rounded down to a float32."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def _with_plain_numbers(convert: Convert) -> Convert:
    def converter(scope: Any, operator: Any, container: Any) -> None:
        operator.raw_operator = _with_float32_thresholds(operator.raw_operator)
        convert(scope, operator, _PlainNumbers(container))

    return converter


def _with_float32_thresholds(model: Any) -> Any:
    model = copy.deepcopy(model)
    for trees in model._predictors:
        for tree in trees:
            tree.nodes["num_threshold"] = floor32(tree.nodes["num_threshold"])
    return model


class _PlainNumbers:
    """Wraps skl2onnx's container: numpy attributes of added nodes become plain numbers, which onnx requires."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        plain = {name: _plain(value) for name, value in attributes.items()}
        self._container.add_node(op_type, inputs, outputs, **plain)


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    items = [item.item() if isinstance(item, np.generic) else item for item in value]
    return [int(item) if isinstance(item, bool) else item for item in items]
