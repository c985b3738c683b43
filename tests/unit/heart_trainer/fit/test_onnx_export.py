"""model.onnx says what the pipeline says, for every family that is offered."""

import numpy as np
import onnx
import pytest

from heart_api.contract import Target
from heart_api.package import ONNX_INPUT, ONNX_OUTPUT, PACKAGE_KEY, ServingPackage
from heart_trainer.errors import ExportFailed
from heart_trainer.fit import families
from heart_trainer.fit.calibrate import Method
from heart_trainer.fit.converters import floor32
from heart_trainer.fit.families import Setting
from heart_trainer.fit.onnx_export import (
    attach_package,
    canonical_bytes,
    export,
    output_scale,
    parity,
    random_rows,
    run_onnx,
    to_bytes,
)
from heart_trainer.fit.search import fit_one
from heart_trainer.package.reference_rows import made_up_rows, reference_rows
from tests.support.trainer.fitted_models import TASKS, calibrated, fitted, fitted_anew, problem
from tests.support.trainer.requests import MIXED, mixed_rows, table

CASES = [
    *[(a, "binary", m) for a in families.CLASSIFIERS for m in ("none", "sigmoid", "isotonic")],
    *[(a, "multiclass", m) for a in families.CLASSIFIERS for m in ("none", "sigmoid", "isotonic")],
    *[(a, "regression", "none") for a in families.REGRESSORS],
]


@pytest.mark.parametrize(("algorithm", "task", "calibration"), CASES)
def test_parity_on_real_and_random_rows_with_missing_values(algorithm: str, task: str, calibration: Method) -> None:
    rows = problem(task)
    model = fitted(algorithm, rows, calibration)
    converted, difference = export(model, rows, seed=1)
    x = np.vstack([rows.x, random_rows(rows.x, seed=2)])
    assert np.isnan(x).any(axis=0)[:4].all()
    output = run_onnx(converted, x)
    expected = model.predict(x)[:, None] if task == "regression" else model.predict_proba(x)
    assert np.abs(output - expected).max() <= 1e-5 * output_scale(rows)
    assert difference.holds
    assert output.std() > 0.05 * output_scale(rows), "a constant would agree with anything"
    assert output.shape == (len(x), max(TASKS[task], 1))


def test_the_file_has_one_float_input_and_one_float_output() -> None:
    graph = onnx.load_from_string(to_bytes(fitted("stacking", problem("binary")), 5)).graph
    assert [(i.name, i.type.tensor_type.elem_type) for i in graph.input] == [(ONNX_INPUT, onnx.TensorProto.FLOAT)]
    assert [(o.name, o.type.tensor_type.elem_type) for o in graph.output] == [(ONNX_OUTPUT, onnx.TensorProto.FLOAT)]
    assert [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim][1] == 5
    assert not {"ZipMap"} & {node.op_type for node in graph.node}
    read = {name for node in graph.node for name in node.input}
    assert {constant.name for constant in graph.initializer} <= read, "onnxruntime warns of each constant not used"


def test_equal_models_give_equal_bytes() -> None:
    rows = problem("binary")
    one, other = (calibrated(fitted_anew("gradient-boosting", rows), rows, "sigmoid") for _ in range(2))
    assert to_bytes(one, 5) == to_bytes(other, 5)


def test_the_order_in_which_a_converter_lists_operator_sets_does_not_count() -> None:
    """It changes from process to process, and the version's digest must not."""
    written = to_bytes(fitted("random-forest", problem("binary")), 5)
    model = onnx.load_from_string(written)
    listed = list(model.opset_import)
    assert len(listed) > 1
    del model.opset_import[:]
    model.opset_import.extend(reversed(listed))
    assert model.SerializeToString(deterministic=True) != written
    assert canonical_bytes(model) == written


def test_an_unfaithful_conversion_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = problem("binary")
    converted = to_bytes(fitted("random-forest", rows), 5)
    monkeypatch.setattr("heart_trainer.fit.onnx_export.to_bytes", lambda *_: converted)
    with pytest.raises(ExportFailed, match="differs from scikit-learn") as caught:
        export(fitted("logistic-regression", rows), rows, 1)
    assert caught.value.permanent
    assert caught.value.reason == "ExportFailed"


def test_a_model_that_cannot_be_converted_is_rejected() -> None:
    class Odd:
        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return x

    with pytest.raises(ExportFailed, match="could not be converted"):
        export(Odd(), problem("binary"), 1)


def test_thresholds_between_neighbouring_floats_decide_alike() -> None:
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    between = (float(low) * 0.1 + float(high) * 0.9) * np.ones(1)
    assert np.float32(between[0]) == high, "rounded to nearest, the upper neighbour would go left"
    assert floor32(between)[0] == low
    assert floor32(np.array([0.5]))[0] == 0.5


def test_the_package_travels_inside_the_file() -> None:
    rows = problem("binary")
    converted = to_bytes(fitted("logistic-regression", rows), 5)
    package = ServingPackage(
        registry_name="clinic.model",
        task="binary",
        algorithm="logistic-regression",
        features=MIXED,
        target=Target(name="target"),
        classes=(0, 1),
        reference=reference_rows(converted, rows),
    )
    once = attach_package(converted, package)
    twice = attach_package(once, package)
    assert once == twice
    stored = {entry.key: entry.value for entry in onnx.load_from_string(once).metadata_props}
    assert ServingPackage.model_validate_json(stored[PACKAGE_KEY]) == package
    np.testing.assert_array_equal(run_onnx(once, rows.x), run_onnx(converted, rows.x))


@pytest.mark.parametrize("task", list(TASKS))
def test_reference_rows_repeat_on_the_same_file_and_on_no_other(task: str) -> None:
    rows = problem(task)
    algorithm = "random-forest"
    converted = to_bytes(fitted(algorithm, rows), 5)
    reference = reference_rows(converted, rows)
    x = np.array(reference.inputs, dtype=np.float32)
    assert np.abs(run_onnx(converted, x) - np.array(reference.outputs)).max() <= reference.tolerance
    other = to_bytes(fitted("gradient-boosting", rows), 5)
    assert np.abs(run_onnx(other, x) - np.array(reference.outputs)).max() > 100 * reference.tolerance
    assert np.array(reference.outputs).std(axis=0).min() > 1000 * reference.tolerance


def test_reference_rows_are_nobodys_rows_and_show_every_category_and_missing_values() -> None:
    x, _ = mixed_rows(400)
    made = made_up_rows(x)
    assert made.shape == (16, 5)
    verbatim = {row.tobytes() for row in x}
    assert not any(row.tobytes() in verbatim for row in made)
    for column in (2, 3, 4):
        assert set(made[:, column][~np.isnan(made[:, column])]) == set(x[:, column][~np.isnan(x[:, column])])
    assert np.isnan(made).all(axis=1).any(), "a row without any value"
    assert (np.isnan(made).any(axis=1) & ~np.isnan(made).all(axis=1)).any()


def test_parity_sees_a_small_difference() -> None:
    rows = problem("binary")
    model = fitted("logistic-regression", rows)
    converted = to_bytes(model, 5)
    assert parity(converted, model, rows.x, 1).difference < 1e-6
    model[-1].intercept_ += 1e-3
    assert not parity(converted, model, rows.x, 1).holds


def test_the_probabilities_of_a_forest_stay_within_0_and_1() -> None:
    """Shares of pure leaves, 150 times 1/150 in float32, add up to more than 1."""
    x, score = mixed_rows(400)
    rows = table(x, (score > 0).astype(np.int64), 2)
    params = {"min_samples_leaf": 1, "max_features": 1.0}
    model = fit_one("random-forest", params, Setting(MIXED, regression=False, seed=0), rows.x, rows.y)
    answers = run_onnx(to_bytes(model, 5), rows.x)
    assert answers.min() >= 0
    assert answers.max() == 1
