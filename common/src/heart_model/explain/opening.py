"""Which way a version is explained; opened once, and proven on the rows of the self-check before it may answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from heart_api.explanation import Explanation, Unit
from heart_api.package import ServingPackage
from heart_model.errors import ModelRejected
from heart_model.explain.encoding import as_rows
from heart_model.explain.explained import Explainer, Floats, Matrix
from heart_model.explain.kernel import KernelExplainer
from heart_model.explain.linear import LinearExplainer
from heart_model.explain.treefile import read_trees
from heart_model.explain.trees import TreeExplainer
from heart_model.selfcheck import allowed_difference

Run = Callable[[Matrix], Any]
SLACK = 10
"""How many times the self-check's tolerance: doubles here, float32 in the runtime, and a link between them."""


def open_explainer(run: Run, package: ServingPackage, explanation: Explanation, data: Callable[[], bytes]) -> Explainer:
    """Open the explainer; `data` reads the model file. Raises ModelRejected if the explanation is not this model's."""
    if {len(row) for row in explanation.background} != {len(package.features)}:
        raise ModelRejected(
            f"explanations: background rows do not have the contract's {len(package.features)} features"
        )
    try:
        explainer = _explainer(run, package, explanation, data)
        outputs = explainer.outputs(as_rows(package.reference.inputs))
    except (ArithmeticError, LookupError, ValueError) as error:
        raise ModelRejected(f"explanations: the data for them do not fit the model ({type(error).__name__})") from None
    _check(linked(outputs, explanation.unit), package)
    return explainer


def _explainer(run: Run, package: ServingPackage, explanation: Explanation, data: Callable[[], bytes]) -> Explainer:
    names = [feature.name for feature in package.features]
    if explanation.method == "linear":
        return LinearExplainer(explanation, len(names))
    if explanation.method == "tree":
        trees = read_trees(data())
        added = np.array(explanation.intercepts) if explanation.intercepts else 0.0
        return TreeExplainer(replace(trees, base=trees.base + added), explanation, len(names))
    players = [index for index, name in enumerate(names) if name not in explanation.unused]
    return KernelExplainer(lambda rows: explained_outputs(run(rows), package.task), explanation, players)


def explained_outputs(outputs: Matrix, task: str) -> Floats:
    """Of a binary model the probability of class 1 alone: that of class 0 has the same contributions, reversed."""
    return (outputs[:, 1:] if task == "binary" else outputs).astype(np.float64)


def linked(outputs: Floats, unit: Unit) -> Floats:
    """From the unit of the contributions to what the model answers: probabilities, or the target."""
    if unit == "log-odds":
        odds: Floats = 1 / (1 + np.exp(-outputs))
        return odds
    if unit == "logit":
        shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        softmax: Floats = shares / shares.sum(axis=1, keepdims=True)
        return softmax
    return outputs


def _check(answers: Floats, package: ServingPackage) -> None:
    expected = explained_outputs(np.asarray(package.reference.outputs), package.task)
    if answers.shape != expected.shape:
        raise ModelRejected("explanations: the data for them do not have the model's outputs")
    precision = np.float64 if package.double else np.float32
    apart = np.abs(answers - expected)
    if not (apart <= allowed_difference(package.reference, expected, precision, SLACK)).all():
        raise ModelRejected(
            f"explanations: their sum differs from the model's output by {apart.max():.3g}."
            " Train the version anew, or serve it with spec.serving.explanations: false"
        )
