"""A calibrator as ONNX operators, appended to a model that ends in probabilities [rows, classes]."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from heart_api.package import ONNX_OUTPUT
from heart_trainer.fit.calibrate import KNOT_STEP, KNOTS, LEAST, Calibrator, IsotonicMap, Map, SigmoidMap

BEFORE = "uncalibrated"


def append_calibrator(model: onnx.ModelProto, calibrator: Calibrator) -> None:
    """Adds the calibrator in place; the output keeps its name and shape."""
    for node in model.graph.node:
        node.input[:] = [BEFORE if name == ONNX_OUTPUT else name for name in node.input]
        node.output[:] = [BEFORE if name == ONNX_OUTPUT else name for name in node.output]
    writer = _Writer(model.graph)
    log_odds = writer.log_odds(BEFORE)
    if len(calibrator.maps) == 1:
        positive = writer.mapped(calibrator.maps[0], log_odds, 1)
        negative = writer.add("Sub", writer.constant(np.ones(1)), positive)
        writer.add("Concat", negative, positive, into=ONNX_OUTPUT, axis=1)
        return
    parts = [writer.mapped(each, log_odds, k) for k, each in enumerate(calibrator.maps)]
    joined = writer.add("Concat", *parts, axis=1)
    total = writer.add("ReduceSum", joined, writer.constant(np.array([1])), keepdims=1)
    writer.add("Div", joined, total, into=ONNX_OUTPUT)


class _Writer:
    """Appends nodes and constants to an ONNX graph under generated names, and returns those names."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph, self._count = graph, 0

    def add(self, operator: str, *inputs: str, into: str | None = None, **attributes: int) -> str:
        output = into or self._name()
        self._graph.node.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        name, kind = self._name(), np.int64 if value.dtype.kind == "i" else np.float32
        self._graph.initializer.append(numpy_helper.from_array(value.astype(kind), name))
        return name

    def log_odds(self, probabilities: str) -> str:
        low, high = self.constant(np.array(LEAST)), self.constant(np.array(1 - LEAST))
        clipped = self.add("Clip", probabilities, low, high)
        rest = self.add("Sub", self.constant(np.ones(1)), clipped)
        return self.add("Sub", self.add("Log", clipped), self.add("Log", rest))

    def mapped(self, calibration: Map, log_odds: str, column: int) -> str:
        """[rows, 1]: the map on one column of the log-odds."""
        scores = self.add("Gather", log_odds, self.constant(np.array([column])), axis=1)
        if isinstance(calibration, SigmoidMap):
            return self._sigmoid(calibration, scores)
        return self._isotonic(calibration, scores)

    def _sigmoid(self, calibration: SigmoidMap, scores: str) -> str:
        scaled = self.add("Mul", scores, self.constant(np.array([calibration.slope])))
        return self.add("Sigmoid", self.add("Add", scaled, self.constant(np.array([calibration.intercept]))))

    def _isotonic(self, calibration: IsotonicMap, scores: str) -> str:
        beyond = self.add("Sub", scores, self.constant(KNOTS[None, :]))
        pieces = self.add("Clip", beyond, self.constant(np.array(0.0)), self.constant(np.array(KNOT_STEP)))
        risen = self.add("MatMul", pieces, self.constant(np.array(calibration.slopes)[:, None]))
        return self.add("Add", risen, self.constant(np.array([calibration.start])))

    def _name(self) -> str:
        self._count += 1
        return f"calibration_{self._count}"
