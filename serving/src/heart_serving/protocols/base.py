"""How a protocol reads requests, and writes answers and errors; what happens between is the same for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from heart_serving.admission.request_body import Head, check_json
from heart_serving.errors import NO_HEADERS, Invalid, Problem, Violation
from heart_serving.protocols.answers import Answers, Outputs
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.strict_json import parse_json, reject_duplicates

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A checked request: rows for the model, and what the answer has to repeat."""

    rows: Matrix
    records: Sequence[Mapping[str, Any]]
    """The same by feature name, in the contract's values (a missing one may be absent): for the prediction log."""
    single: bool = False
    id: str | None = None
    outputs: tuple[str, ...] = ()
    binary: frozenset[str] = frozenset()
    """Outputs that are to come as bytes behind the JSON (Open Inference Protocol)."""


class Reply(NamedTuple):
    """A response; its body is JSON unless the headers state another content type."""

    body: bytes
    headers: Mapping[str, str] = NO_HEADERS
    status: int = 200


class PredictionProtocol(Protocol):
    def accept(self, head: Head) -> "PredictionProtocol":
        """The protocol for a request of this head. Raises Problem 415 for a body that it does not read."""

    def read(self, body: bytes) -> ParsedRequest:
        """The records of a request body, checked. Raises Problem with the status that the client gets."""

    def write(self, parsed: ParsedRequest, outputs: Outputs, request_id: str, proof: str = "") -> Any:
        """A JSON value for the model's `outputs`, or a Reply if the protocol sets headers or sends bytes.

        `proof`: that the answer was given, for /feedback; empty: there is none.
        """

    def error_body(self, problem: Problem) -> Any:
        """The JSON value that the protocol's clients expect with an error status."""


@dataclass(frozen=True, slots=True)
class Predict:
    """`POST /predict`: a record, or a list of records, as plain JSON objects by feature name.

    A list's answers come as `predictions` under one `request_id`, in the order of the records.
    """

    contract: Contract
    answers: Answers
    version: str

    def accept(self, head: Head) -> "Predict":
        check_json(head)
        return self

    def read(self, body: bytes) -> ParsedRequest:
        if (found := self.contract.read(body)) is not None:
            return ParsedRequest(*found)
        document = parse_json(body)
        single = type(document) is dict
        records = [document] if single else self._list(document)
        rows, checked = self.contract.check(records, single=single)
        reject_duplicates(body, sum(map(len, records)))
        return ParsedRequest(rows, checked, single)

    def _list(self, document: Any) -> list[Any]:
        if type(document) is not list:
            raise Invalid([Violation((), "dict_type", "must be one record (an object) or a list of records")])
        return document

    def write(self, parsed: ParsedRequest, outputs: Outputs, request_id: str, proof: str = "") -> Any:
        answers = self.answers.read(outputs)
        common = {"model_version": self.version, "request_id": request_id}
        if proof:
            common["proof"] = proof
        return answers[0] | common if parsed.single else {"predictions": answers} | common

    def error_body(self, problem: Problem) -> Any:
        return error_detail(problem)


def error_detail(problem: Problem) -> dict[str, Any]:
    """`detail` as FastAPI's users know it: a list of violations, or one sentence."""
    if isinstance(problem, Invalid):
        return {"detail": [violation.dump() for violation in problem.violations]}
    return {"detail": problem.message}
