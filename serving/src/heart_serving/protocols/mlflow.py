"""`POST /invocations`: MLflow's scoring protocol."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from heart_serving.admission.request_body import Head, check_media_type, check_unsplit
from heart_serving.errors import Problem
from heart_serving.protocols.answers import Answers, Outputs
from heart_serving.protocols.base import ParsedRequest
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.csv_table import read_csv
from heart_serving.protocols.dataframes import Features, read_inputs, read_instances, read_records, read_split
from heart_serving.protocols.strict_json import parse_json, reject_duplicates_of
from heart_serving.protocols.tables import Records

JSON, CSV = b"application/json", b"text/csv"
FORMS: dict[str, Callable[[Any, Features], Records]] = {
    "dataframe_split": read_split,
    "dataframe_records": read_records,
    "instances": read_instances,
    "inputs": read_inputs,
}
ERROR_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    422: "INVALID_PARAMETER_VALUE",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}
"""MLflow's names, which go with the HTTP status; every other error is a BAD_REQUEST."""


@dataclass(frozen=True, slots=True)
class Invocations:
    """`predictions` are what a model that returns a data frame gives: objects for classes, numbers for a regression.

    As in MLflow, columns that the signature does not name are dropped, and `params` are ignored when it declares none,
    which ours never do.
    """

    contract: Contract
    answers: Answers
    csv: bool = False

    def accept(self, head: Head) -> "Invocations":
        check_unsplit(head)
        return replace(self, csv=True) if check_media_type(head, JSON, CSV) == CSV else self

    def read(self, body: bytes) -> ParsedRequest:
        records = read_csv(body, self.contract.features) if self.csv else self._read_json(body)
        return ParsedRequest(*self.contract.check([self._known(record) for record in records]))

    def _read_json(self, body: bytes) -> Records:
        document = parse_json(body)
        forms = [name for name in FORMS if name in document] if type(document) is dict else []
        if len(forms) != 1:
            raise Problem(400, f"the body must be an object with exactly one of {', '.join(FORMS)}")
        reject_duplicates_of(document, body)
        return FORMS[forms[0]](document[forms[0]], self.contract.features)

    def _known(self, record: dict[str, Any]) -> dict[str, Any]:
        return {name: record[name] for name in self.contract.names if name in record}

    def write(self, parsed: ParsedRequest, outputs: Outputs, request_id: str, proof: str = "") -> Any:
        return {"predictions": self.answers.plain(outputs)}

    def error_body(self, problem: Problem) -> Any:
        return {"error_code": ERROR_CODES.get(problem.status, "BAD_REQUEST"), "message": problem.message}
