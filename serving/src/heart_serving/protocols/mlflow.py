"""`POST /invocations`: MLflow's scoring protocol."""

from collections.abc import Callable
from typing import Any

from heart_serving.admission.request_body import Head, check_json
from heart_serving.errors import Problem
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.base import Matrix, ParsedRequest
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.dataframes import Features, read_inputs, read_instances, read_records, read_split
from heart_serving.protocols.strict_json import parse_json, reject_duplicates_of
from heart_serving.protocols.tables import Records

FORMS: dict[str, Callable[[Any, Features], Records]] = {
    "dataframe_split": read_split,
    "dataframe_records": read_records,
    "instances": read_instances,
    "inputs": read_inputs,
}
ERROR_CODES = {422: "INVALID_PARAMETER_VALUE", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}
"""MLflow's names, which go with the HTTP status; every other error is a BAD_REQUEST."""


class Invocations:
    """`predictions` are what a model that returns a data frame gives: objects for classes, numbers for a regression.

    `params` are for models whose signature declares some. Ours never do: MLflow then ignores them, and so do we.
    """

    def __init__(self, contract: Contract, answers: Answers) -> None:
        self._contract = contract
        self._answers = answers

    def accept(self, head: Head) -> "Invocations":
        check_json(head)
        return self

    def read(self, body: bytes) -> ParsedRequest:
        document = parse_json(body)
        forms = [name for name in FORMS if name in document] if type(document) is dict else []
        if len(forms) != 1:
            raise Problem(400, f"the body must be an object with exactly one of {', '.join(FORMS)}")
        reject_duplicates_of(document, body)
        records = FORMS[forms[0]](document[forms[0]], self._contract.features)
        return ParsedRequest(self._contract.rows(records), records)

    def write(self, parsed: ParsedRequest, outputs: Matrix, request_id: str) -> Any:
        return {"predictions": self._answers.plain(outputs)}

    def error_body(self, problem: Problem) -> Any:
        return {"error_code": ERROR_CODES.get(problem.status, "BAD_REQUEST"), "message": problem.message}
