"""`POST /explain`: body to answer. Records are read, checked and predicted as those of `/predict`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from heart_api.explanation import Explanation, Method
from heart_model.explain.explained import Explained, Explainer, Matrix
from heart_serving.protocols.answers import Outputs
from heart_serving.protocols.base import Predict

MAX_RECORDS: dict[Method, int] = {"linear": 100, "tree": 100, "kernel": 20}
"""Records of one request: some seconds of work at most (a forest of 150,000 leaves, or a stack, on one core)."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explain:
    """`predict`: how requests are read and predictions answered, within the bound of records."""

    predict: Predict
    run: Callable[[Matrix], Outputs]
    explainer: Explainer
    explanation: Explanation

    def answer(self, body: bytes, request_id: str) -> tuple[int, bytes]:
        """Predictions with their explanations for the body of a `/predict` request: (number of records, JSON).

        Raises Problem for a body that `/predict` rejects too.
        """
        parsed = self.predict.read(body)
        outputs = self.run(parsed.rows)
        explained = self.explainer(parsed.rows)
        answers = self.predict.answers.read(outputs)
        for index, answer in enumerate(answers):
            answer |= self._reasons(explained, index, self.predict.answers.chosen(outputs[index : index + 1])[0])
        common = {
            "method": self.explanation.method,
            "unit": self.explanation.unit,
            "model_version": self.predict.version,
            "request_id": request_id,
        }
        whole = answers[0] | common if parsed.single else {"explanations": answers} | common
        return len(answers), orjson.dumps(whole)

    def _reasons(self, explained: Explained, row: int, chosen: int) -> Json:
        """binary: for class 1, whichever is predicted. multiclass: for the predicted class, and for each by label."""
        labels = self.predict.answers.labels
        if self.predict.answers.task == "regression":
            return self._reasons_for(explained, row, 0)
        if self.predict.answers.task == "binary":
            return {"explained": labels[1]} | self._reasons_for(explained, row, 0)
        classes = {label: self._reasons_for(explained, row, place) for place, label in enumerate(labels)}
        return {"explained": labels[chosen]} | classes[labels[chosen]] | {"classes": classes}

    def _reasons_for(self, explained: Explained, row: int, output: int) -> Json:
        names = [feature.name for feature in self.predict.contract.features]
        return {
            "output": float(explained.outputs[row, output]),
            "base_value": float(explained.base[output]),
            "contributions": dict(zip(names, explained.contributions[row, :, output].tolist(), strict=True)),
        }
