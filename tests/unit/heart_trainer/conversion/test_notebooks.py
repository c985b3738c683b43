"""What people bring from notebooks: pipelines, boosters, calibrated machines, ONNX files, and mistakes."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from heart_trainer.conversion import boosters
from heart_trainer.conversion.classes import match_classes
from heart_trainer.conversion.convert import convert
from heart_trainer.errors import NotServable, TrainerError
from tests.unit.heart_trainer.conversion.conftest import Problem


def agrees(problem: Problem, model: Any, tolerance: float = 1e-5) -> None:
    """Converted, it says of each class by name what the model says."""
    answers = problem.served(model)
    if problem.table.classes:
        expected = model.predict_proba(problem.x)[:, match_classes(list(model.classes_), problem.table.classes)]
    else:
        expected = model.predict(problem.x).reshape(-1, 1)
    np.testing.assert_allclose(answers, expected, rtol=1e-6, atol=tolerance)


TREES = [RandomForestClassifier, ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier]


@pytest.mark.parametrize("scaler", [StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler])
@pytest.mark.parametrize("trees", TREES)
def test_a_scaler_before_trees(binary: Problem, scaler: Any, trees: Any) -> None:
    few = {"max_iter": 10} if trees is HistGradientBoostingClassifier else {"n_estimators": 10}
    agrees(binary, make_pipeline(SimpleImputer(), scaler(), trees(**few)).fit(binary.x, binary.names))


def test_a_forest_of_years_after_a_scaler(regression: Problem) -> None:
    model = make_pipeline(SimpleImputer(), StandardScaler(), RandomForestRegressor(30, random_state=0))
    agrees(regression, model.fit(regression.x, regression.table.y), tolerance=1e-3)


@pytest.mark.parametrize("trees", [3, 7, 20, 100])
@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_a_forest_of_any_size_answers_probabilities(binary: Problem, kind: Any, trees: int) -> None:
    model = kind(trees, random_state=0).fit(binary.x, binary.names)
    answers = binary.served(model)
    assert answers.min() >= 0
    assert answers.max() <= 1, "the sum of a hundred shares of .01 may be 1.0000001 in float32"
    agrees(binary, model)


@pytest.mark.parametrize("weights", [None, [1, 3]])
def test_a_soft_vote_as_it_is_by_default(binary: Problem, weights: Any) -> None:
    members = [("linear", LogisticRegression()), ("forest", RandomForestClassifier(5)), ("none", "drop")]
    shares = [*weights, 1] if weights else None
    agrees(binary, VotingClassifier(members, voting="soft", weights=shares).fit(binary.x, binary.names))


@pytest.mark.parametrize("scaler", [StandardScaler, MinMaxScaler, RobustScaler])
@pytest.mark.parametrize("inner", [Ridge(), RandomForestRegressor(10), HistGradientBoostingRegressor(max_iter=20)])
@pytest.mark.parametrize("far", [False, True], ids=["a year", "Unix time"])
def test_a_target_that_is_scaled_by_the_model(regression: Problem, scaler: Any, inner: Any, far: bool) -> None:
    y = 1.7e9 + 60 * (regression.table.y - 1990) if far else regression.table.y
    problem = replace(regression, table=replace(regression.table, y=y))
    model = make_pipeline(SimpleImputer(), TransformedTargetRegressor(inner, transformer=scaler()))
    served = problem.served(model.fit(problem.x, y))
    expected = model.predict(problem.x.astype(np.float64)).reshape(-1, 1)
    assert served.dtype == (np.float64 if far else np.float32)
    np.testing.assert_allclose(served, expected, rtol=0, atol=1e-2 if far else 1e-3)


def test_a_linear_model_of_a_target_far_from_zero(regression: Problem) -> None:
    y = 1.7e9 + 60 * (regression.table.y - 1990)
    problem = replace(regression, table=replace(regression.table, y=y))
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(problem.x.astype(np.float64), y)
    np.testing.assert_allclose(problem.served(model).ravel(), model.predict(problem.x.astype(np.float64)), atol=1e-2)
    with pytest.raises(NotServable, match="TransformedTargetRegressor"):
        problem.served(RandomForestRegressor(20, random_state=0).fit(problem.x, y))


@pytest.mark.parametrize("scaled", [False, True])
def test_a_frame_with_its_columns_in_another_order_is_rejected(binary: Problem, scaled: bool) -> None:
    names = [feature.name for feature in binary.features]
    frame = pd.DataFrame(binary.x, columns=names)
    model = make_pipeline(StandardScaler(), LogisticRegression()) if scaled else LogisticRegression()
    agrees(binary, model.fit(frame, binary.names))
    with pytest.raises(NotServable, match="in the order " + ", ".join(names)):
        binary.served(model.fit(frame[names[::-1]], binary.names))


def test_a_model_that_is_not_fitted_or_not_made(binary: Problem) -> None:
    with pytest.raises(NotServable, match=r"is not fitted: call fit\(rows\.x, rows\.y\)"):
        binary.served(LogisticRegression())
    with pytest.raises(NotServable, match="is a class"):
        binary.served(LogisticRegression)


@pytest.mark.parametrize("model", [LinearRegression(), RandomForestRegressor(5)])
def test_a_target_of_one_column(regression: Problem, model: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agrees(regression, model.fit(regression.x, regression.table.y[:, None]), tolerance=1e-3)


@pytest.mark.parametrize("machine", [SVC(), LinearSVC(), RidgeClassifier()])
def test_a_machine_without_probabilities_names_the_next_step_which_works(binary: Problem, machine: Any) -> None:
    with pytest.raises(NotServable, match=r"has no predict_proba.*CalibratedClassifierCV\(model, ensemble=False\)"):
        binary.served(make_pipeline(StandardScaler(), machine).fit(binary.x, binary.names))
    inside = make_pipeline(StandardScaler(), CalibratedClassifierCV(machine, ensemble=False))
    agrees(binary, inside.fit(binary.x, binary.names))
    around = CalibratedClassifierCV(make_pipeline(StandardScaler(), machine))
    agrees(binary, around.fit(binary.x, binary.names))


def test_calibrated_machines_of_several_classes(multiclass: Problem) -> None:
    for machine in (SVC(), LinearSVC()):
        model = make_pipeline(StandardScaler(), CalibratedClassifierCV(machine, ensemble=False))
        agrees(multiclass, model.fit(multiclass.x, multiclass.names))
    agrees(multiclass, LinearDiscriminantAnalysis().fit(multiclass.x, multiclass.names))


def test_a_vote_by_majority_becomes_one_of_probabilities(binary: Problem) -> None:
    with pytest.raises(NotServable, match='voting="soft"'):
        binary.served(VotingClassifier([("a", LogisticRegression())]).fit(binary.x, binary.names))


def test_the_best_of_a_search(binary: Problem) -> None:
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]})
    agrees(binary, search.fit(binary.x, binary.names))


# --- boosters --------------------------------------------------------------------------------------------


def booster(name: str, regression: bool) -> Any:
    kind = "Regressor" if regression else "Classifier"
    if name == "xgboost":
        xgboost = pytest.importorskip("xgboost")
        return getattr(xgboost, f"XGB{kind}")(n_estimators=20)
    if name == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        return getattr(lightgbm, f"LGBM{kind}")(n_estimators=20, verbose=-1, n_jobs=1)
    catboost = pytest.importorskip("catboost")
    return getattr(catboost, f"CatBoost{kind}")(iterations=20, verbose=0, allow_writing_files=False)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "catboost"])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_boosters_alone_and_after_a_scaler(name: str, scaled: bool, task: str, request: pytest.FixtureRequest) -> None:
    problem: Problem = request.getfixturevalue(task)
    model = booster(name, task == "regression")
    model = make_pipeline(SimpleImputer(), StandardScaler(), model) if scaled else model
    y = problem.names if task != "regression" and name != "xgboost" else problem.table.y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agrees(problem, model.fit(problem.x, y), tolerance=2e-2 if task == "regression" else 1e-5)


def test_a_converter_that_is_not_installed_is_named(binary: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    converters = {"sklearn": ("no_such_package.converter", "convert", (), ())}
    monkeypatch.setattr(boosters, "CONVERTERS", converters)
    with pytest.raises(NotServable, match=r"pip install onnxmltools"):
        binary.served(LogisticRegression().fit(binary.x, binary.names))


# --- classes ---------------------------------------------------------------------------------------------

MATCHED: list[tuple[list[Any], tuple[int | str, ...], list[int]]] = [
    (["disease", "no disease"], ("no disease", "disease"), [1, 0]),
    ([np.str_("Disease"), np.str_("No disease")], ("no disease", "disease"), [1, 0]),
    ([0, 1], ("no disease", "disease"), [0, 1]),
    ([np.int64(0), np.int64(1)], (0, 1), [0, 1]),
    ([0.0, 1.0], (0, 1), [0, 1]),
    ([1, 2], (1, 2), [0, 1]),
    ([0, 1], (1, 2), [0, 1]),
    ([np.False_, np.True_], (0, 1), [0, 1]),
    ([np.False_, np.True_], ("False", "True"), [0, 1]),
    ([False, True], ("no disease", "disease"), [0, 1]),
    (["high", "low", "middle"], ("low", "middle", "high"), [1, 2, 0]),
]


@pytest.mark.parametrize(("own", "wanted", "places"), MATCHED)
def test_classes_are_matched_by_name(own: list[Any], wanted: tuple[int | str, ...], places: list[int]) -> None:
    assert match_classes(own, wanted) == places


@pytest.mark.parametrize(
    ("own", "wanted", "words"),
    [
        (["ill", "well"], ("no disease", "disease"), "are not those of the contract"),
        ([0, 1, 2], (0, 1), "knows 3 classes"),
        ([0, 1], (1, 0), "which stand for other classes"),
        ([1, 3], ("low", "high"), "are not those of the contract"),
    ],
)
def test_other_classes_are_rejected(own: list[Any], wanted: tuple[int | str, ...], words: str) -> None:
    with pytest.raises(NotServable, match=words):
        match_classes(own, wanted)


# --- ONNX files ------------------------------------------------------------------------------------------


def own_file(problem: Problem, **options: Any) -> onnx.ModelProto:
    """As somebody exports it in a notebook, with labels and dictionaries."""
    model = LogisticRegression(max_iter=500).fit(problem.x, problem.names)
    return to_onnx(model, problem.x[:1], options=options or None, target_opset={"": 18, "ai.onnx.ml": 3})


def test_a_file_of_ones_own_has_its_classes_matched(binary: Problem) -> None:
    expected = LogisticRegression(max_iter=500).fit(binary.x, binary.names).predict_proba(binary.x)[:, [1, 0]]
    proto = own_file(binary)
    before = proto.SerializeToString()
    np.testing.assert_allclose(binary.served(proto), expected, atol=1e-5)
    np.testing.assert_allclose(binary.served(before), expected, atol=1e-5)
    assert proto.SerializeToString() == before, "the caller's model stays as it was"


def with_output(problem: Problem, *nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """The columns of a file that names no classes, through further nodes from `columns` to `answer`."""
    found = onnx.load_from_string(
        convert(LogisticRegression().fit(problem.x, problem.table.y), problem.table, problem.features, 0)
    )
    for node in found.graph.node:
        node.output[:] = ["columns" if name == "output" else name for name in node.output]
        kept = [attribute for attribute in node.attribute if not attribute.name.startswith("classlabels")]
        if node.op_type == "LinearClassifier":
            kept.append(onnx.helper.make_attribute("classlabels_ints", [0, 1]))
        del node.attribute[:]
        node.attribute.extend(kept)
    for name, value in constants.items():
        found.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    found.graph.node.extend(nodes)
    del found.graph.output[:]
    found.graph.output.append(onnx.helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, None))
    return found


def test_one_column_of_probabilities_is_told_what_to_add(binary: Problem) -> None:
    one = with_output(binary, onnx.helper.make_node("Gather", ["columns", "last"], ["answer"], axis=1), last=[1])
    with pytest.raises(NotServable, match=r"gives 1 numbers .* 2 are needed.*no disease, disease.*1 - p and p"):
        binary.served(one)


def test_a_column_too_many_is_counted(binary: Problem) -> None:
    three = with_output(
        binary, onnx.helper.make_node("Gather", ["columns", "which"], ["answer"], axis=1), which=[0, 1, 1]
    )
    with pytest.raises(NotServable, match="gives 3 numbers"):
        binary.served(three)


# --- mistakes --------------------------------------------------------------------------------------------


def test_optional_features_need_an_imputer_which_is_said(binary: Problem) -> None:
    features = (binary.features[0].model_copy(update={"required": False}), *binary.features[1:])
    model = LogisticRegression().fit(binary.x, binary.names)
    with pytest.raises(NotServable, match=r"does not take missing values, and a may be missing.*SimpleImputer"):
        convert(model, binary.table, features, 0)
    convert(make_pipeline(SimpleImputer(), model).fit(binary.x, binary.names), binary.table, features, 0)


class Strange:
    """Has the interface, and fails in its own way."""

    classes_ = ("no disease", "disease")

    def fit(self) -> None: ...

    def predict(self, x: Any) -> Any:
        raise KeyError("columns")

    predict_proba = predict


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (LogisticRegression(), "is not fitted"),
        (b"no model", "no ONNX file"),
        (b"", "no ONNX file"),
        (onnx.ModelProto(), "ONNX"),
        ({"a": 1}, "A dict is no model"),
        (Strange(), "KeyError"),
        (LinearRegression().fit(np.eye(3), np.ones(3)), "is no classifier"),
        (LogisticRegression().fit(np.eye(4), [0, 1, 0, 1]), "fitted on 4 columns; the contract has 3"),
    ],
)
def test_mistakes_are_named(binary: Problem, model: Any, words: str) -> None:
    with pytest.raises(TrainerError, match=words):
        binary.served(model)


def test_a_classifier_of_a_regression_is_rejected(regression: Problem) -> None:
    model = LogisticRegression().fit(regression.x, regression.table.y > 1990)
    with pytest.raises(NotServable, match=r"spec\.training\.task is regression"):
        regression.served(model)


def test_several_targets_are_rejected(regression: Problem) -> None:
    model = LinearRegression().fit(regression.x, np.column_stack([regression.table.y] * 2))
    with pytest.raises(NotServable, match="is one column"):
        regression.served(model)


def test_whatever_breaks_is_a_trainer_error(binary: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("deep inside")

    monkeypatch.setattr("heart_trainer.conversion.convert.check_estimator", broken)
    with pytest.raises(NotServable, match="deep inside"):
        binary.served(LogisticRegression())


def test_a_contract_in_another_order_gives_the_columns_in_that_order(binary: Problem) -> None:
    model = LogisticRegression(max_iter=500).fit(binary.x, binary.names)
    turned = Problem(replace(binary.table, classes=("disease", "no disease"), y=1 - binary.table.y))
    np.testing.assert_allclose(turned.served(model), binary.served(model)[:, ::-1], atol=1e-6)
