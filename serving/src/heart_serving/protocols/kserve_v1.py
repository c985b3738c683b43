"""`POST /v1/models/…:predict`: KServe's first protocol (TensorFlow Serving's).

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

from typing import Any

from heart_serving.admission.request_body import Head, check_json
from heart_serving.errors import Problem
from heart_serving.protocols.answers import Answers, Outputs
from heart_serving.protocols.base import ParsedRequest
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.dataframes import read_inputs, read_instances
from heart_serving.protocols.strict_json import parse_json, reject_duplicates_of


class KServeV1:
    """`instances` (rows), or `inputs` (columns); the answer's `predictions` are as of /invocations."""

    def __init__(self, contract: Contract, answers: Answers) -> None:
        self._contract = contract
        self._answers = answers

    def accept(self, head: Head) -> "KServeV1":
        check_json(head)
        return self

    def read(self, body: bytes) -> ParsedRequest:
        document = parse_json(body)
        if type(document) is not dict or ("instances" in document) == ("inputs" in document):
            raise Problem(400, "the body must be an object with either instances or inputs")
        reject_duplicates_of(document, body)
        read, form = (read_instances, "instances") if "instances" in document else (read_inputs, "inputs")
        records = read(document[form], self._contract.features)
        return ParsedRequest(*self._contract.check(records))

    def write(self, parsed: ParsedRequest, outputs: Outputs, request_id: str, proof: str = "") -> Any:
        return {"predictions": self._answers.plain(outputs)}

    def error_body(self, problem: Problem) -> Any:
        return {"error": problem.message}
