"""The model: a file that is proven to be the one the operator named, opened once."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import ValidationError

from heart_api.package import ONNX_INPUT, ONNX_OUTPUT, PACKAGE_KEY, ServingPackage
from heart_model.errors import ModelRejected
from heart_model.limits import MAX_MODEL_BYTES
from heart_model.onnxfile import inspect_onnx
from heart_model.selfcheck import check_behaviour

Matrix = npt.NDArray[np.float32]
Outputs = npt.NDArray[np.float32] | npt.NDArray[np.float64]
SCHEMA_VERSION = 1
FURTHER_ROWS = 32


class Runner:
    """One ONNX session on one thread: a small model gains nothing from more, and pods scale instead."""

    def __init__(self, data: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._outputs = [ONNX_OUTPUT]

    def __call__(self, rows: Matrix) -> Outputs:
        """Rows in, outputs out: [n, features] to [n, outputs]."""
        outputs: Outputs = self._session.run(self._outputs, {ONNX_INPUT: rows})[0]
        return outputs

    def signature(self) -> tuple[list[tuple[str, str, Any]], list[tuple[str, str, Any]]]:
        """(name, element type, shape) of each input and each output."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        return [(i.name, i.type, i.shape) for i in inputs], [(o.name, o.type, o.shape) for o in outputs]


@dataclass(frozen=True, slots=True)
class Model:
    """A version that may answer."""

    package: ServingPackage
    run: Runner
    row_seconds: float
    """What one row cost at the self-check; a slow model must not hold up the event loop."""
    further_seconds: float
    """What each further row of a batch cost."""


def load_model(file: Path, sha256: str) -> Model:
    """Check digest, form, package, runtime and behaviour, in this order. Raises ModelRejected at the first failure."""
    data = read_checked(file, sha256)
    package = read_package(inspect_onnx(data))
    run = open_session(data)
    check_signature(run, package)
    check_behaviour(run, package.reference, len(package.features))
    return Model(package, run, *row_costs(run, len(package.features)))


def read_checked(file: Path, sha256: str) -> bytes:
    try:
        if (size := file.stat().st_size) > MAX_MODEL_BYTES:
            raise ModelRejected(f"the model file {file} has {size} bytes; at most {MAX_MODEL_BYTES} are served")
        data = file.read_bytes()
    except OSError as error:
        raise ModelRejected(f"the model file {file} cannot be read: {error.strerror}") from None
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ModelRejected(
            f"the model file has digest sha256:{found}, but sha256:{sha256} was approved: it is not served"
        )
    return data


def read_package(properties: dict[str, str]) -> ServingPackage:
    if PACKAGE_KEY not in properties:
        raise ModelRejected(f"the ONNX file carries no {PACKAGE_KEY}: it was not exported by a HeartOps training")
    try:
        package = ServingPackage.model_validate_json(properties[PACKAGE_KEY])
    except ValidationError as error:
        where = ", ".join(sorted({".".join(map(str, item["loc"])) for item in error.errors()[:5]}))
        raise ModelRejected(f"{PACKAGE_KEY} in the ONNX file is not readable at {where or 'its start'}") from None
    if package.schema_version > SCHEMA_VERSION:
        raise ModelRejected("the model was written by a newer HeartOps: update the serving image")
    return package


def open_session(data: bytes) -> Runner:
    try:
        return Runner(data)
    except Exception as error:  # the runtime has no common base of its errors
        raise ModelRejected(f"the ONNX runtime cannot open the model ({type(error).__name__})") from None


def check_signature(run: Runner, package: ServingPackage) -> None:
    """One float tensor in, one out, as wide as the contract and the task say."""
    inputs, outputs = run.signature()
    if len(inputs) != 1 or inputs[0][:2] != (ONNX_INPUT, "tensor(float)") or not _wide(inputs[0][2], package.features):
        raise ModelRejected(f"the model's input is not one float tensor {ONNX_INPUT} [rows, {len(package.features)}]")
    precision = "double" if package.double else "float"
    if ONNX_OUTPUT not in [name for name, kind, _ in outputs if kind == f"tensor({precision})"]:
        raise ModelRejected(f"the model has no {precision} output named {ONNX_OUTPUT}")
    width = {len(row) for row in package.reference.outputs}
    wanted = {"regression": 1, "binary": 2}.get(package.task, len(package.classes))
    if width != {wanted} or (package.classes and package.task != "regression" and len(package.classes) != wanted):
        raise ModelRejected(f"the model's outputs are not one column per class of its {package.task} task")


def _wide(shape: Any, features: tuple[Any, ...]) -> bool:
    # A fixed number of rows would reject every other batch.
    return len(shape) == 2 and not isinstance(shape[0], int) and shape[1] in (len(features), None)


def row_costs(run: Runner, features: int) -> tuple[float, float]:
    """Seconds for one row alone, and for each further one: each from the quickest of three runs on zeros."""
    alone, batch = (
        min(_timed(run, np.zeros((rows, features), np.float32)) for _ in range(3)) for rows in (1, FURTHER_ROWS + 1)
    )
    return alone, max(batch - alone, 0.0) / FURTHER_ROWS


def _timed(run: Runner, row: Matrix) -> float:
    started = time.perf_counter()
    run(row)
    return time.perf_counter() - started
