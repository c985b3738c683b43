"""Every classifier and regressor of scikit-learn converts and says the same, or is refused with a sensible message."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import all_estimators

from heart_trainer.errors import NotServable
from tests.unit.heart_trainer.conversion.conftest import Problem

FASTER = {"n_estimators": 5, "max_iter": 50, "n_bags": 2}
UNSERVABLE = {
    # no converter
    *("DummyClassifier", "DummyRegressor", "KernelRidge", "LabelPropagation", "LabelSpreading", "NearestCentroid"),
    # no probabilities, or a threshold of their own
    *("LinearSVC", "NuSVC", "OneVsOneClassifier", "OutputCodeClassifier", "PassiveAggressiveClassifier", "Perceptron"),
    *("RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "SVC", "VotingClassifier"),
    *("FixedThresholdClassifier", "TunedThresholdClassifierCV"),
    # other rows than these, or not at all in float32
    *("CategoricalNB", "GaussianProcessClassifier", "RadiusNeighborsClassifier", "RadiusNeighborsRegressor"),
}
OTHER_ROWS = {
    *("CCA", "ClassifierChain", "IsotonicRegression", "MultiOutputClassifier", "MultiOutputRegressor"),
    *("MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "PLSCanonical"),
    *("RegressorChain", "SelfTrainingClassifier", "SGDRegressor"),
}
"""Need several targets, one column, unlabelled rows or scaled ones (SGDRegressor diverges without, by chance)."""


def unfitted(kind: Any) -> Any:
    inner = LogisticRegression() if "Classifier" in kind.__name__ else Ridge()
    for arguments in ({}, {"estimator": inner}, {"estimators": [("one", inner)]}):
        try:
            model = kind(**arguments)
        except TypeError:
            continue
        if kind.__name__ == "SelfTrainingClassifier":
            return model
        known = model.get_params(deep=False)
        faster = {name: value for name, value in FASTER.items() if isinstance(known.get(name), int)}
        return model.set_params(**faster)
    raise AssertionError(kind)


def kinds(task: str) -> list[Any]:
    return [pytest.param(kind, id=name) for name, kind in all_estimators(type_filter=task) if name not in OTHER_ROWS]


def judge(model: Any, problem: Problem, expected: str) -> None:
    name = type(model).__name__
    if name in UNSERVABLE:
        with pytest.raises(NotServable) as rejected:
            problem.served(model)
        assert name in rejected.value.message
        assert len(rejected.value.message) > 60, "a cause and a next step"
        return
    answers = problem.served(model)
    own = getattr(model, expected)(problem.x)
    if expected == "predict_proba":
        own = own[:, [list(model.classes_).index(name) for name in problem.table.classes]]
    np.testing.assert_allclose(answers, own.reshape(answers.shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", kinds("classifier"))
def test_classifiers_fitted_on_text(kind: Any, binary: Problem) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge(unfitted(kind).fit(binary.x, binary.names), binary, "predict_proba")


@pytest.mark.parametrize("kind", kinds("regressor"))
def test_regressors_of_a_year(kind: Any, regression: Problem) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge(unfitted(kind).fit(regression.x, regression.table.y), regression, "predict")
