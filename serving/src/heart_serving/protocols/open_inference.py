"""`POST /v2/models/…/infer`: the Open Inference Protocol, and the model's metadata in it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from heart_serving.admission.request_body import Head, check_media_type
from heart_serving.errors import Problem
from heart_serving.protocols.answers import Answers, Outputs
from heart_serving.protocols.base import ParsedRequest, Reply
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.oip_binary import HEADER, Tail, write_values
from heart_serving.protocols.oip_tensors import check_parameters, datatype_of, describe_outputs, read_tensor, to_records
from heart_serving.protocols.strict_json import parse_json, reject_duplicates_of

Json = dict[str, Any]
MAX_ID = 256


@dataclass(frozen=True, slots=True)
class OpenInference:
    """Outputs: `prediction` [n]; for classes also `label` [n] (BYTES) and `probabilities` [n, classes]."""

    contract: Contract
    answers: Answers
    name: str
    version: str
    json_length: int | None = None
    """Of a request with binary tensor data: where its JSON ends."""

    def accept(self, head: Head) -> "OpenInference":
        """Without a Content-Type, and as application/octet-stream, the header says whether tensors come as bytes."""
        if head.content_type not in (b"", b"application/octet-stream"):
            check_media_type(head, b"application/json")
        return self if head.json_length is None else replace(self, json_length=head.json_length)

    def read(self, body: bytes) -> ParsedRequest:
        text, tail = self._split(body)
        document = parse_json(text)
        if type(document) is not dict or type(document.get("inputs")) is not list or not document["inputs"]:
            raise Problem(400, "inputs: must be a list of tensors")
        reject_duplicates_of(document, text)
        check_parameters(document, "request")
        tensors = [read_tensor(item, tail) for item in document["inputs"]]
        tail.check_used()
        names, binary = self._wanted(document)
        records = to_records(tensors, self.contract.features)
        rows, checked = self.contract.check(records)
        return ParsedRequest(rows, checked, id=self._id(document.get("id")), outputs=names, binary=binary)

    def _split(self, body: bytes) -> tuple[bytes, Tail]:
        """The JSON part of a body, and the binary tensors after it. Raises Problem 400 for an impossible length."""
        if self.json_length is None:
            return body, Tail()
        if not 0 <= self.json_length <= len(body):
            raise Problem(400, f"the header {HEADER} must say how many bytes of the body are JSON")
        return body[: self.json_length], Tail(body[self.json_length :])

    def _id(self, value: Any) -> str | None:
        if value is not None and (type(value) is not str or len(value) > MAX_ID):
            raise Problem(400, f"id: must be a string of at most {MAX_ID} characters")
        return value

    def _wanted(self, document: Json) -> tuple[tuple[str, ...], frozenset[str]]:
        """Names of the outputs to answer with, in the order asked for, and which of them as bytes."""
        names = tuple(item["name"] for item in describe_outputs(self.answers))
        outputs = document.get("outputs") or [{"name": name} for name in names]
        if type(outputs) is not list or not all(type(o) is dict and o.get("name") in names for o in outputs):
            raise Problem(400, f"outputs: this model has {', '.join(names)}")
        for output in outputs:
            check_parameters(output, f"outputs.{output['name']}")
        every = (document.get("parameters") or {}).get("binary_data_output", False)
        wanted = {o["name"]: (o.get("parameters") or {}).get("binary_data", every) for o in outputs}
        return tuple(wanted), frozenset(name for name, binary in wanted.items() if binary)

    def write(self, parsed: ParsedRequest, outputs: Outputs, request_id: str, proof: str = "") -> Any:
        """`id` repeats the client's own, as clients check; the server's is a parameter."""
        chunks: list[bytes] = []
        tensors = []
        for tensor, values in self.tensors(parsed, outputs):
            if tensor["name"] in parsed.binary:
                chunks.append(write_values(values, tensor["datatype"]))
                tensors.append(tensor | {"parameters": {"binary_data_size": len(chunks[-1])}})
            else:
                tensors.append(tensor | {"data": values})
        answer = {
            "model_name": self.name,
            "model_version": self.version,
            "id": parsed.id or request_id,
            "parameters": answer_parameters(request_id, proof),
            "outputs": tensors,
        }
        return binary_reply(answer, chunks) if parsed.binary else answer

    def tensors(self, parsed: ParsedRequest, outputs: Outputs) -> Iterator[tuple[Json, list[Any]]]:
        """(name, datatype and shape, values) of each output that was asked for, in that order."""
        answers = self.answers.read(outputs)
        data: dict[str, list[Any]] = {"prediction": [answer["prediction"] for answer in answers]}
        if self.answers.classes:
            data["label"] = [answer["label"] for answer in answers]
            data["probabilities"] = outputs.ravel().tolist()
        described = {item["name"]: item for item in describe_outputs(self.answers)}
        for name in parsed.outputs:
            yield described[name] | {"shape": [len(answers), *described[name]["shape"][1:]]}, data[name]

    def error_body(self, problem: Problem) -> Any:
        return {"error": problem.message}

    def metadata(self) -> Json:
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "onnxruntime_onnx",
            "inputs": [
                {"name": feature.name, "datatype": datatype_of(feature), "shape": [-1]}
                for feature in self.contract.features
            ],
            "outputs": describe_outputs(self.answers),
        }


def answer_parameters(request_id: str, proof: str) -> dict[str, str]:
    """What /feedback asks for."""
    return {"request_id": request_id, "proof": proof} if proof else {"request_id": request_id}


def binary_reply(answer: Json, chunks: list[bytes]) -> Reply:
    text = orjson.dumps(answer)
    return Reply(text + b"".join(chunks), {"Content-Type": "application/octet-stream", HEADER: str(len(text))})
