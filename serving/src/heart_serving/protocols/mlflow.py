"""`POST /invocations`: MLflow's scoring protocol as a dialect."""

from collections.abc import Callable
from typing import Any

from heart_serving.errors import Problem
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.base import Matrix, Question
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.dataframes import Features, read_inputs, read_instances, read_records, read_split
from heart_serving.protocols.strict_json import parse_json, refuse_duplicates_of
from heart_serving.protocols.tables import Records

FORMS: dict[str, Callable[[Any, Features], Records]] = {
    "dataframe_split": read_split,
    "dataframe_records": read_records,
    "instances": read_instances,
    "inputs": read_inputs,
}
ERROR_CODES = {422: "INVALID_PARAMETER_VALUE", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}
"""MLflow's names, which go with the HTTP status; every other refusal is a BAD_REQUEST."""


class Invocations:
    """`predictions` are what a model that returns a data frame gives: objects for classes, numbers for a regression.

    `params` are for models whose signature declares some. Ours never do: MLflow then ignores them, and so do we.
    """

    def __init__(self, contract: Contract, answers: Answers) -> None:
        self._contract = contract
        self._answers = answers

    def read(self, body: bytes) -> Question:
        document = parse_json(body)
        forms = [name for name in FORMS if name in document] if type(document) is dict else []
        if len(forms) != 1:
            raise Problem(400, f"the body must be an object with exactly one of {', '.join(FORMS)}")
        refuse_duplicates_of(document, body)
        records = FORMS[forms[0]](document[forms[0]], self._contract.features)
        return Question(self._contract.rows(records), records)

    def write(self, question: Question, outputs: Matrix, request_id: str) -> Any:
        return {"predictions": self._answers.plain(outputs)}

    def refuse(self, problem: Problem) -> Any:
        return {"error_code": ERROR_CODES.get(problem.status, "BAD_REQUEST"), "message": problem.message}
