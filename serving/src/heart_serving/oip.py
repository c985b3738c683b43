"""`POST /v2/models/…/infer`: the Open Inference Protocol as a dialect, and the model's metadata in it."""

from dataclasses import dataclass
from typing import Any

from heart_serving.answers import Answers
from heart_serving.contract import Contract
from heart_serving.dialects import Matrix, Question
from heart_serving.errors import Invalid, Problem, Violation
from heart_serving.jsonbody import parse_json, refuse_duplicates
from heart_serving.tensors import datatype_of, read_tensor, to_records

MAX_ID = 256


@dataclass(frozen=True, slots=True)
class OpenInference:
    """Outputs: `prediction` [n]; for classes also `label` [n] (BYTES) and `probabilities` [n, classes]."""

    contract: Contract
    answers: Answers
    name: str
    version: str

    def read(self, body: bytes) -> Question:
        document = parse_json(body)
        if type(document) is not dict or type(document.get("inputs")) is not list or not document["inputs"]:
            raise Problem(422, "inputs: must be a list of tensors")
        if len(document["inputs"]) > len(self.contract.features):
            raise Problem(422, "inputs: there are more tensors than features")
        refuse_duplicates(body, count_keys(document))
        tensors = [read_tensor(item, self.contract.max_rows) for item in document["inputs"]]
        records = to_records(tensors, self.contract.features)
        if not records:
            raise Invalid([Violation(("inputs",), "too_short", "must hold at least one row")])
        wanted = self._wanted(document.get("outputs"))
        return Question(self.contract.rows(records), id=self._id(document.get("id")), outputs=wanted)

    def _id(self, value: Any) -> str | None:
        if value is not None and (type(value) is not str or len(value) > MAX_ID):
            raise Problem(422, f"id: must be a string of at most {MAX_ID} characters")
        return value

    def _wanted(self, outputs: Any) -> tuple[str, ...]:
        names = tuple(item["name"] for item in self.output_metadata())
        if not outputs:
            return names
        if type(outputs) is not list or not all(type(o) is dict and o.get("name") in names for o in outputs):
            raise Problem(422, f"outputs: this model has {', '.join(names)}")
        return tuple(dict.fromkeys(output["name"] for output in outputs))

    def write(self, question: Question, outputs: Matrix, request_id: str) -> Any:
        answers = self.answers.read(outputs)
        rows = len(answers)
        data: dict[str, list[Any]] = {"prediction": [answer["prediction"] for answer in answers]}
        if self.answers.classes:
            data["label"] = [answer["label"] for answer in answers]
            data["probabilities"] = outputs.ravel().tolist()
        tensors = {item["name"]: item for item in self.output_metadata()}
        return {
            "model_name": self.name,
            "model_version": self.version,
            "id": question.id or request_id,
            "outputs": [
                tensors[name] | {"shape": [rows, *tensors[name]["shape"][1:]], "data": data[name]}
                for name in question.outputs
            ],
        }

    def refuse(self, problem: Problem) -> Any:
        return {"error": problem.message}

    def metadata(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "onnxruntime_onnx",
            "inputs": [
                {"name": feature.name, "datatype": datatype_of(feature), "shape": [-1]}
                for feature in self.contract.features
            ],
            "outputs": self.output_metadata(),
        }

    def output_metadata(self) -> list[dict[str, Any]]:
        classes = self.answers.classes
        if not classes:
            return [{"name": "prediction", "datatype": "FP32", "shape": [-1]}]
        kind = "INT64" if all(isinstance(value, int) for value in classes) else "BYTES"
        return [
            {"name": "prediction", "datatype": kind, "shape": [-1]},
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(classes)]},
        ]


def count_keys(document: Any) -> int:
    """Entries of every object in the document. Without recursion: the parser allows more levels than Python does."""
    keys, waiting = 0, [document]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            keys += len(value)
            waiting.extend(value.values())
        elif type(value) is list and value and type(value[0]) in (dict, list):
            waiting.extend(value)
    return keys
