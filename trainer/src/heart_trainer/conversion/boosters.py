"""XGBoost, LightGBM and CatBoost: their converters are theirs, and none of them needs to be in the trainer's image."""

import importlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from heart_trainer.errors import NotServable

OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
CONVERTERS = {
    "xgboost": (
        "onnxmltools.convert.xgboost.operator_converters.XGBoost",
        "convert_xgboost",
        ("XGBClassifier", "XGBRFClassifier"),
        ("XGBRegressor", "XGBRFRegressor"),
    ),
    "lightgbm": (
        "onnxmltools.convert.lightgbm.operator_converters.LightGbm",
        "convert_lightgbm",
        ("LGBMClassifier",),
        ("LGBMRegressor",),
    ),
}


def libraries(model: Any) -> set[str]:
    """Top packages of the classes of a model and of everything inside it."""
    return {type(part).__module__.split(".")[0] for part in _parts(model, 0)}


def register(found: set[str]) -> None:
    """Tell skl2onnx the converters of these libraries. Raises NotServable where onnxmltools is missing."""
    for library in found & CONVERTERS.keys():
        module, name, classifiers, regressors = CONVERTERS[library]
        convert = getattr(_load(module, library), name)
        package = importlib.import_module(library)
        for kind in (*classifiers, *regressors):
            shapes = (
                calculate_linear_classifier_output_shapes
                if kind in classifiers
                else calculate_linear_regressor_output_shapes
            )
            options = OPTIONS if kind in classifiers else {}
            alias = f"Heart{kind}"
            update_registered_converter(getattr(package, kind), alias, shapes, convert, overwrite=True, options=options)


def _load(module: str, library: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotServable(
            f"A model of {library} is converted by onnxmltools, which is not installed here ({error}). "
            "pip install onnxmltools, then register it again."
        ) from error


def is_catboost(model: Any) -> bool:
    return type(model).__module__.split(".")[0] == "catboost"


def convert_catboost(model: Any) -> onnx.ModelProto:
    """The ONNX model of a fitted CatBoost estimator, which CatBoost itself exports."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        return onnx.load(path)


def _parts(model: Any, depth: int) -> list[Any]:
    """The model and the models that its public attributes hold, some levels deep."""
    if depth > 4 or isinstance(model, str | bytes | int | float | bool | None):
        return []
    if isinstance(model, list | tuple):
        return [part for item in model[:50] for part in _parts(item, depth + 1)]
    if not hasattr(model, "get_params"):
        return [model]
    inner = [value for name, value in vars(model).items() if hasattr(value, "get_params") or isinstance(value, list)]
    return [model, *(part for value in inner for part in _parts(value, depth + 1))]
