"""The global view in the model card, and the proof of an explanation before its version is registered."""

import numpy as np
import pytest

from heart_api.contract import Target
from heart_api.package import ServingPackage
from heart_trainer.errors import ExportFailed
from heart_trainer.fit.onnx_export import to_bytes
from heart_trainer.package.explanation import build_explanation
from heart_trainer.package.influence import measure_influence
from heart_trainer.package.reference_rows import reference_rows
from tests.support.trainer.fitted_models import fitted
from tests.support.trainer.requests import number, table

FEATURES = (number("weak"), number("strong"), number("none"))


@pytest.fixture(scope="module")
def parts() -> tuple[bytes, ServingPackage, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 3)).astype(np.float32)
    x[:, 2] = 5
    rows = table(x, (x[:, 0] + 3 * x[:, 1] + rng.logistic(size=300) > 0).astype(np.int64), 2)
    model = fitted("logistic-regression", rows, features=FEATURES)
    onnx = to_bytes(model, 3)
    package = ServingPackage(
        registry_name="clinic.model",
        task="binary",
        algorithm="logistic-regression",
        features=FEATURES,
        target=Target(name="target"),
        classes=(0, 1),
        reference=reference_rows(onnx, rows),
        explanation=build_explanation(model, rows, FEATURES),
    )
    return onnx, package, rows


def test_the_sizes_are_those_of_a_linear_model(parts: tuple) -> None:
    onnx, package, rows = parts
    found = measure_influence(onnx, package, rows)
    assert found
    assert [name for name, _ in found.sizes] == ["strong", "weak", "none"]
    coefficients = np.abs(package.explanation.coefficients[0])
    expected = coefficients * np.abs(rows.x - rows.x.mean(axis=0)).mean(axis=0)
    assert dict(found.sizes) == pytest.approx(dict(zip(("weak", "strong", "none"), expected, strict=True)), abs=0.02)
    assert (found.rows, found.unit) == (300, "log-odds")


def test_what_does_not_add_up_is_not_registered(parts: tuple) -> None:
    onnx, package, rows = parts
    wrong = package.explanation.model_copy(update={"fills": (), "intercepts": (1.0,)})
    with pytest.raises(ExportFailed, match="cannot be explained"):
        measure_influence(onnx, package.model_copy(update={"explanation": wrong}), rows)


def test_without_data_for_explanations_there_is_no_view(parts: tuple) -> None:
    onnx, package, rows = parts
    assert measure_influence(onnx, package.model_copy(update={"explanation": None}), rows) is None
