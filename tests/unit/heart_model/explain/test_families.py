"""Contributions are Shapley values by their definition, for every family that the trainer offers.

The oracle asks the scikit-learn pipeline, in doubles, about every coalition of features.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_api.contract import Feature, Target
from heart_api.explanation import Explanation
from heart_api.package import ServingPackage
from heart_model.explain.encoding import as_rows
from heart_model.explain.explained import Explainer
from heart_model.explain.opening import linked, open_explainer
from heart_model.model import open_session
from heart_trainer.fit import families
from heart_trainer.fit.calibrate import CalibratedModel, Method
from heart_trainer.fit.onnx_export import output_scale, random_rows, run_onnx, to_bytes
from heart_trainer.package.explanation import build_explanation
from heart_trainer.package.reference_rows import reference_rows
from heart_trainer.values import Table
from tests.support.trainer.fitted_models import fitted, problem
from tests.support.trainer.requests import MIXED, number, table

EXACT = 1e-5
"""In probability, log-odds, logits, or standard deviations of the target."""
CASES = [
    *[(a, t, m) for a in families.CLASSIFIERS for t in ("binary", "multiclass") for m in ("none", "sigmoid")],
    ("gradient-boosting", "binary", "isotonic"),
    *[(a, "regression", "none") for a in families.REGRESSORS],
]
METHODS = {
    "logistic-regression": "linear",
    "ridge": "linear",
    "random-forest": "tree",
    "gradient-boosting": "tree",
    "xgboost": "tree",
}


@dataclass(frozen=True)
class Case:
    model: Any
    rows: Table
    explanation: Explanation
    explain: Explainer
    onnx: bytes


def opened(model: Any, rows: Table, features: tuple[Feature, ...]) -> Case:
    """As in production: what the trainer ships goes through JSON, and serving sees the ONNX file alone."""
    onnx = to_bytes(model, len(features))
    package = ServingPackage(
        registry_name="clinic.model",
        task=rows.task,
        algorithm="any",
        features=features,
        target=Target(name="target"),
        classes=rows.classes,
        reference=reference_rows(onnx, rows),
        explanation=build_explanation(model, rows, features),
    )
    package = ServingPackage.model_validate_json(package.model_dump_json(by_alias=True, exclude_none=True))
    assert package.explanation
    explain = open_explainer(open_session(onnx), package, package.explanation, lambda: onnx)
    return Case(model, rows, package.explanation, explain, onnx)


@cache
def case(algorithm: str, task: str, calibration: Method) -> Case:
    rows = problem(task)
    return opened(fitted(algorithm, rows, calibration), rows, MIXED)


def in_unit(case: Case, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """[rows, outputs] of the pipeline in the unit of the explanation."""
    if case.rows.task == "regression":
        return np.asarray(case.model.predict(x), np.float64)[:, None]
    if case.explanation.unit == "probability":
        probabilities = case.model.predict_proba(x)
        return np.asarray(probabilities[:, 1:] if case.rows.task == "binary" else probabilities, np.float64)
    return np.asarray(case.model.decision_function(x), np.float64).reshape(len(x), -1)


def by_definition(case: Case, row: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(base [outputs], Shapley values [features, outputs]): Shapley (1953), over every coalition."""
    players, background = len(row), as_rows(case.explanation.background)
    coalitions = [c for size in range(players + 1) for c in combinations(range(players), size)]
    mixed = np.repeat(background[None], len(coalitions), axis=0)
    for index, members in enumerate(coalitions):
        mixed[index, :, list(members)] = row[list(members), None]
    means = in_unit(case, mixed.reshape(-1, players)).reshape(len(coalitions), len(background), -1).mean(axis=1)
    value = dict(zip(map(frozenset, coalitions), means, strict=True))
    shares = np.zeros((players, means.shape[1]))
    for members, joined in value.items():
        for player in members:
            without = members - {player}
            weight = factorial(len(without)) * factorial(players - len(members)) / factorial(players)
            shares[player] += weight * (joined - value[without])
    return value[frozenset()], shares


@pytest.mark.parametrize(("algorithm", "task", "calibration"), CASES)
def test_contributions_are_shapley_values(algorithm: str, task: str, calibration: Method) -> None:
    explained = case(algorithm, task, calibration)
    rows = np.vstack([explained.rows.x[:1], random_rows(explained.rows.x, seed=3, rows=2)])
    assert np.isnan(rows).any()
    found = explained.explain(rows)
    scale = output_scale(explained.rows)
    for index, row in enumerate(rows):
        base, shares = by_definition(explained, row)
        np.testing.assert_allclose(found.base, base, atol=EXACT * scale)
        np.testing.assert_allclose(found.contributions[index], shares, atol=EXACT * scale)
    assert np.abs(found.contributions).max() > 0.05 * scale, "zeros would agree with a constant"


@pytest.mark.parametrize(("algorithm", "task", "calibration"), CASES)
def test_they_add_up_to_what_predict_answers(algorithm: str, task: str, calibration: Method) -> None:
    explained = case(algorithm, task, calibration)
    rows = random_rows(explained.rows.x, seed=4, rows=40)
    found = explained.explain(rows)
    scale = output_scale(explained.rows)
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.outputs, atol=1e-9 * scale)
    answered = run_onnx(explained.onnx, rows)[:, 1:] if task == "binary" else run_onnx(explained.onnx, rows)
    np.testing.assert_allclose(linked(found.outputs, explained.explanation.unit), answered, atol=EXACT * scale)


@pytest.mark.parametrize(("algorithm", "task", "calibration"), CASES)
def test_the_method_is_the_cheapest_exact_one(algorithm: str, task: str, calibration: Method) -> None:
    explanation = case(algorithm, task, calibration).explanation
    expected = METHODS.get(algorithm, "kernel") if calibration == "none" else "kernel"
    assert explanation.method == expected
    margins = {"binary": "log-odds", "multiclass": "logit"}
    margin = expected == "linear" or (expected == "tree" and algorithm != "random-forest")
    assert explanation.unit == ("target" if task == "regression" else margins[task] if margin else "probability")


ELEVEN = tuple(number(f"f{index}", required=False) for index in range(11))


@cache
def wide(algorithm: str, calibration: Method = "none") -> Case:
    """Eleven features: two bytes of a tree's sets, and more coalitions than Kernel SHAP asks. f9 and f10 never vary."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 11)).astype(np.float32)
    x[:, 9:] = 1
    x[rng.random(500) < 0.1, 3] = np.nan
    score = x[:, 0] + x[:, 1] * x[:, 2] + np.nan_to_num(x[:, 3]) - (x[:, 4] > 0) * x[:, 5] + x[:, 6:9].sum(axis=1) / 2
    rows = table(x, (score + rng.logistic(size=500) > 0).astype(np.int64), 2)
    return opened(fitted(algorithm, rows, calibration, ELEVEN), rows, ELEVEN)


def test_trees_of_many_features_are_exact() -> None:
    explained = wide("gradient-boosting")
    row = random_rows(explained.rows.x, seed=1, rows=1)[0]
    base, shares = by_definition(explained, row)
    found = explained.explain(row[None])
    np.testing.assert_allclose(found.base, base, atol=EXACT)
    np.testing.assert_allclose(found.contributions[0], shares, atol=EXACT)


def test_sampled_coalitions_come_near_the_exact_values_and_add_up() -> None:
    explained = wide("gradient-boosting", "sigmoid")
    assert explained.explanation.method == "kernel"
    rows = random_rows(explained.rows.x, seed=1, rows=2)
    found = explained.explain(rows)
    exact = np.array([by_definition(explained, row)[1] for row in rows])
    assert np.abs(found.contributions - exact).max() < 0.005
    assert np.abs(exact).max() > 0.1
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.outputs, atol=1e-9)
    np.testing.assert_array_equal(explained.explain(rows).contributions, found.contributions)


@pytest.mark.parametrize(
    ("algorithm", "calibration"),
    [(a, m) for a in families.CLASSIFIERS for m in ("none", "sigmoid")],
)
def test_a_feature_that_the_model_does_not_use_contributes_nothing(algorithm: str, calibration: Method) -> None:
    explained = wide(algorithm, calibration)
    rows = random_rows(explained.rows.x, seed=2, rows=3)
    rows[:, 9], rows[:, 10] = 40, np.nan  # values that training never saw
    contributions = explained.explain(rows).contributions
    assert not contributions[:, 9:].any()
    assert np.abs(contributions[:, :9]).max() > 0.01
    if isinstance(explained.model, CalibratedModel):
        assert explained.explanation.unused == ("f9", "f10")
