"""XGBoost's trees as one ONNX TreeEnsembleRegressor, and the link function behind it.

XGBoost sends `x < t` to the left, in float32. That is `x <= t'` with the next float32 below t, so that serving reads
the trees as it reads all others. Margins come from a regressor: what a TreeEnsembleClassifier of two classes makes of
weights that are all positive differs from runtime to runtime.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from heart_trainer.fit.boosted import Boosted, BoostedClassifier, BoostedRegressor

OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
ML, OPSET = "ai.onnx.ml", 3


def register() -> None:
    """Register the converters of this module with skl2onnx. Idempotent."""
    update_registered_converter(
        BoostedClassifier,
        "HeartBoostedClassifier",
        calculate_linear_classifier_output_shapes,
        convert_classifier,
        overwrite=True,
        options=OPTIONS,
    )
    update_registered_converter(
        BoostedRegressor,
        "HeartBoostedRegressor",
        calculate_linear_regressor_output_shapes,
        convert_regressor,
        overwrite=True,
    )


@dataclass(frozen=True)
class Nodes:
    """All nodes of all trees of a booster, one row of arrays. `left`, `right`: -1 at a leaf."""

    tree: NDArray[np.int64]
    node: NDArray[np.int64]
    output: NDArray[np.int64]
    """What the node's tree adds to."""
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float32]
    """Of a branch its threshold, of a leaf what it adds."""

    @property
    def leaf(self) -> NDArray[np.bool_]:
        return np.asarray(self.left < 0)


def nodes_of(model: Boosted) -> Nodes:
    """The trees of a fitted estimator."""
    stored = json.loads(bytes(model.booster_.save_raw("json")))["learner"]["gradient_booster"]["model"]
    trees = stored["trees"]
    sizes = [len(tree["left_children"]) for tree in trees]
    joined = {
        name: np.concatenate([np.asarray(tree[name], np.float64) for tree in trees])
        for name in ("left_children", "right_children", "split_indices", "split_conditions")
    }
    return Nodes(
        tree=np.repeat(np.arange(len(trees)), sizes),
        node=np.concatenate([np.arange(size) for size in sizes]),
        output=np.repeat(np.asarray(stored["tree_info"], np.int64), sizes),
        left=joined["left_children"].astype(np.int64),
        right=joined["right_children"].astype(np.int64),
        column=joined["split_indices"].astype(np.int64),
        value=joined["split_conditions"].astype(np.float32),
    )


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    model, (label, probabilities) = operator.raw_operator, operator.outputs
    margins = _margins(scope, operator, container)
    if model.outputs_ == 1:
        positive, negative, opposite = (scope.get_unique_variable_name(name) for name in ("pos", "neg", "opposite"))
        container.add_node("Sigmoid", [margins], [positive], name=scope.get_unique_operator_name("Sigmoid"))
        container.add_node("Neg", [margins], [opposite], name=scope.get_unique_operator_name("Neg"))
        container.add_node("Sigmoid", [opposite], [negative], name=scope.get_unique_operator_name("Sigmoid"))
        joined, name = [negative, positive], scope.get_unique_operator_name("Concat")
        container.add_node("Concat", joined, [probabilities.full_name], name=name, axis=1)
    else:
        name = scope.get_unique_operator_name("Softmax")
        container.add_node("Softmax", [margins], [probabilities.full_name], name=name, axis=1, op_version=13)
    name = scope.get_unique_operator_name("ArgMax")
    container.add_node("ArgMax", [probabilities.full_name], [label.full_name], name=name, axis=1, keepdims=0)


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    _margins(scope, operator, container, operator.outputs[0].full_name)


def _margins(scope: Any, operator: Any, container: Any, output: str | None = None) -> str:
    """Adds the trees; the name of the tensor [rows, outputs] that they add up to."""
    output = output or scope.get_unique_variable_name("margins")
    attributes = ensemble(operator.raw_operator)
    name = scope.get_unique_operator_name("TreeEnsembleRegressor")
    inputs = [operator.inputs[0].full_name]
    container.add_node(
        "TreeEnsembleRegressor", inputs, [output], op_domain=ML, op_version=OPSET, name=name, **attributes
    )
    return output


def ensemble(model: Boosted) -> dict[str, Any]:
    """Attributes of the ONNX operator."""
    nodes = nodes_of(model)
    leaf = nodes.leaf
    threshold = np.where(leaf, np.float32(0), np.nextafter(nodes.value, np.float32(-np.inf)))
    return {
        "n_targets": model.outputs_,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "base_values": [model.margin_] * model.outputs_,
        "nodes_treeids": nodes.tree.tolist(),
        "nodes_nodeids": nodes.node.tolist(),
        "nodes_featureids": np.where(leaf, 0, nodes.column).tolist(),
        "nodes_modes": ["LEAF" if end else "BRANCH_LEQ" for end in leaf],
        "nodes_values": threshold.tolist(),
        "nodes_hitrates": [1.0] * len(leaf),
        "nodes_truenodeids": np.where(leaf, 0, nodes.left).tolist(),
        "nodes_falsenodeids": np.where(leaf, 0, nodes.right).tolist(),
        "nodes_missing_value_tracks_true": [0] * len(leaf),
        "target_treeids": nodes.tree[leaf].tolist(),
        "target_nodeids": nodes.node[leaf].tolist(),
        "target_ids": nodes.output[leaf].tolist(),
        "target_weights": nodes.value[leaf].tolist(),
    }
