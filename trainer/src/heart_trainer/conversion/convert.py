"""The way from any model to model.onnx: converted, its columns in the contract's order, and compared with the model.

No other library's error passes this boundary: what cannot be served ends as a NotServable with cause and next step.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import compose
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler

from heart_api.contract import Feature
from heart_api.package import ONNX_INPUT
from heart_trainer.conversion import boosters, graph
from heart_trainer.conversion.classes import match_classes
from heart_trainer.conversion.equivalents import equivalent, without_target_scaling
from heart_trainer.conversion.estimators import check_estimator, outputs, unwrap
from heart_trainer.errors import NotServable, TrainerError
from heart_trainer.fit import converters
from heart_trainer.fit.offset import table_needs_double
from heart_trainer.fit.onnx_export import (
    OPSETS,
    STEPS,
    canonical_bytes,
    difference_of,
    output_scale,
    random_rows,
    run_onnx,
)
from heart_trainer.values import Parity, Table

Convert = Callable[[], onnx.ModelProto]
EXACT_SCALERS = {StandardScaler: {"div": "div"}, RobustScaler: {"div": "div"}}
"""Divide as scikit-learn does: a product with the reciprocal lands on the other side of a tree's threshold."""
IR_VERSION = 8
"""Older files list their constants among their inputs."""
OWN_STEPS = {"xgboost": 128}
"""A library that adds up in float32 itself has the errors of many steps in its own answers."""
CLIPPED: graph.Steps = (("Clip", (0.0, 1.0)),)
"""A sum of a forest's shares in float32 may be 1.0000001."""
OWN_FILE = "or convert it yourself and pass the ONNX file"


def convert(model: Any, table: Table, features: tuple[Feature, ...], seed: int) -> bytes:
    """model.onnx of an estimator, a ModelProto or the bytes of one. Raises NotServable."""
    try:
        if isinstance(model, bytes | bytearray | onnx.ModelProto):
            return _from_file(model, table, len(features))
        return _from_estimator(unwrap(model), table, features, seed)
    except TrainerError:
        raise
    except Exception as error:
        kind = type(model).__name__
        raise NotServable(f"The {kind} could not be converted ({type(error).__name__}): {error}"[:1000]) from error


def _from_file(model: bytes | bytearray | onnx.ModelProto, table: Table, features: int) -> bytes:
    found = onnx.ModelProto()
    if isinstance(model, onnx.ModelProto):
        found.CopyFrom(model)
    else:
        found = _parsed(bytes(model), features)
    tensor = graph.score_tensor(found.graph)
    names = graph.class_labels_of(found.graph) if table.classes else []
    order = match_classes(names, table.classes) if names else list(range(max(1, len(table.classes))))
    graph.set_input(found, features)
    width = _width(found, tensor, features)
    if width != len(order):
        raise NotServable(
            f"The ONNX file gives {width} numbers for each row, and {len(order)} are needed: "
            + (
                f"the probability of each class, in the order {', '.join(map(str, table.classes))}. "
                "Of one column p make two, 1 - p and p (Sub and Concat)."
                if table.classes
                else "the value."
            )
        )
    graph.set_output(found, tensor, order, table_needs_double(table))
    return _serialised(found)


def _parsed(data: bytes, features: int) -> onnx.ModelProto:
    try:
        found = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own
        raise NotServable(f"The bytes are no ONNX file ({type(error).__name__}).") from error
    if not found.graph.node or not found.graph.output:
        raise NotServable(f"The bytes are no ONNX file with an input of float32 [rows, {features}].")
    return found


def _width(model: onnx.ModelProto, tensor: str, features: int) -> int:
    """Columns of a tensor, by running the graph on two rows. Raises NotServable where it cannot be run."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
    try:
        found = run_onnx(probe.SerializeToString(), np.zeros((2, features), np.float32), tensor)
    except Exception as error:  # the runtime's errors have no common base
        raise NotServable(f"The ONNX file cannot be run on float32 [rows, {features}]: {error}"[:1000]) from error
    return int(found.size // 2)


def _from_estimator(model: Any, table: Table, features: tuple[Feature, ...], seed: int) -> bytes:
    check_estimator(model, table, features)
    required = np.array([feature.required for feature in features])
    x = np.vstack([table.x, random_rows(table.x, seed, required=required)])
    double = table_needs_double(table)
    # Of float32 rows many models make float32 answers, which would be too coarse here.
    expected = outputs(model, x.astype(np.float64) if double else x, table, features)
    order = [0] if table.task == "regression" else match_classes(list(model.classes_), table.classes)
    rejection = ""
    inner, after = without_target_scaling(model) if table.task == "regression" else (model, CLIPPED)
    for attempt in _attempts(inner, len(features)):
        try:
            converted = _finished(attempt(), len(features), order, double, after)
            found = difference_of(run_onnx(converted, x), expected[:, order], output_scale(table), _steps(model))
        except TrainerError:
            raise
        except Exception as error:  # any of dozens of converters' and the runtime's errors
            rejection = rejection or _no_converter(model, error)
            continue
        if found.holds:
            return converted
        rejection = _unfaithful(model, found, double)
    raise NotServable(rejection)


def _steps(model: Any) -> int:
    """By how many float32 steps the converted model's outputs may differ from the library's own."""
    return max((OWN_STEPS.get(library, STEPS) for library in boosters.libraries(model)), default=STEPS)


def _unfaithful(model: Any, found: Parity, double: bool) -> str:
    if double:
        return (
            f"The ONNX form of the {type(model).__name__} differs from it by {found.difference:.2g}, more than "
            f"{found.allowed:.2g}: float32 is too coarse for a target so large that varies so little. Choose a linear "
            "model behind a scaler, or TransformedTargetRegressor(model, transformer=StandardScaler())."
        )
    return (
        f"The ONNX form of the {type(model).__name__} differs from it by {found.difference:.2g}, more than "
        f"{found.allowed:.2g}: the converter does not reproduce it, or not in float32. Scale its inputs, calibrate "
        f"by method='sigmoid', choose another kind of model, {OWN_FILE}."
    )


def _attempts(model: Any, features: int) -> Iterator[Convert]:
    """Ways to convert, the plainest first: in float32, in float64, and step by step for a booster in a pipeline."""
    last = model[-1] if isinstance(model, Pipeline) else model
    if boosters.is_catboost(last):
        if last is model:
            yield lambda: boosters.convert_catboost(model)
        else:
            yield lambda: _joined(model, features, boosters.convert_catboost(last))
        return
    boosters.register(boosters.libraries(model))
    same = equivalent(model)
    yield lambda: _skl2onnx(same, FloatTensorType([None, features]))
    yield lambda: _skl2onnx(same, DoubleTensorType([None, features]))


def _skl2onnx(model: Any, kind: Any) -> onnx.ModelProto:
    converters.register()
    found = to_onnx(
        model, name="model", initial_types=[(ONNX_INPUT, kind)], options=dict(EXACT_SCALERS), target_opset=OPSETS
    )
    assert isinstance(found, onnx.ModelProto)
    return found


def _joined(pipeline: Pipeline, features: int, last: onnx.ModelProto) -> onnx.ModelProto:
    """The steps before the last one by skl2onnx, then the last one as its own library writes it."""
    first = _skl2onnx(pipeline[:-1], FloatTensorType([None, features]))
    last.ir_version = first.ir_version
    first = compose.add_prefix(first, "prepare_")
    del last.opset_import[:]
    last.opset_import.extend(first.opset_import)
    pair = (first.graph.output[0].name, last.graph.input[0].name)
    return compose.merge_models(first, last, io_map=[pair])


def _opset(model: onnx.ModelProto) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def _finished(model: onnx.ModelProto, features: int, order: list[int], double: bool, after: graph.Steps) -> bytes:
    tensor = graph.score_tensor(model.graph)
    graph.centre_trees(model.graph)
    graph.set_input(model, features)
    graph.set_output(model, tensor, order, double, after)
    return _serialised(model)


def _serialised(model: onnx.ModelProto) -> bytes:
    kept = [entry for entry in model.opset_import if entry.domain not in ("", "ai.onnx")]
    version = max(_opset(model), graph.OPSET)
    del model.opset_import[:]
    model.opset_import.extend([*kept, onnx.helper.make_opsetid("", version)])
    model.ir_version = max(model.ir_version, IR_VERSION)
    onnx.checker.check_model(model)
    return canonical_bytes(model)


def _no_converter(model: Any, error: Exception) -> str:
    kind = type(model).__name__
    if isinstance(error, MissingConverter | MissingShapeCalculator):
        return (
            f"There is no ONNX converter for a part of the {kind}: {_first_line(error)} Choose another kind of model, "
            f"{OWN_FILE}."
        )
    return f"The {kind} could not be converted to ONNX ({type(error).__name__}: {_first_line(error)}); {OWN_FILE[3:]}."


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
