"""`POST /feedback`: what turned out to be true, joined with its prediction by request id.

Each outcome comes with the proof that was part of the answer, so that nobody can invent one. It is stored whether or
not its prediction is: that may still wait in another pod's queue. An answer of 202 means that the database has it; a
repeat changes nothing. The first author of an outcome may correct it, nobody else.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from heart_api.handover import Env
from heart_log.values import ANONYMOUS, Key, Outcome, Stored
from heart_serving.admission.request_body import OVERLOADED, REQUEST_ID, BodyReader, ClientGone, check_json, read_head
from heart_serving.errors import Invalid, Problem, Violation
from heart_serving.predictionlog.metrics import LogMetrics
from heart_serving.predictionlog.parts import PredictionLogging
from heart_serving.predictionlog.proofs import Proofs
from heart_serving.predictionlog.sinks import RowsRejected, Unavailable
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.base import error_detail
from heart_serving.protocols.strict_json import parse_json, reject_duplicates
from heart_serving.protocols.violations import FLOAT32_MAX, MAX_LISTED_VALUES, MAX_VIOLATIONS, plain_name
from heart_serving.routes.names import AUTHOR
from heart_serving.settings import Settings

if TYPE_CHECKING:
    from heart_serving.predictionlog.store import Store

MAX_WAITING = 64
"""Reports that wait for the database; beyond, clients get 503 with Retry-After."""
TRY_LATER = {"Retry-After": "5"}
INLINE_BYTES = 32 * 1024
"""A longer list is read and its proofs are checked in a thread: 10,000 of them take 35 ms of processor time."""
NO_DATABASE = "this model keeps no prediction log in a database, so outcomes have nowhere to go"
NO_KEY = (
    f"outcomes are not taken: the Secret heartops-runtime of this namespace has no usable {Env.PROOF_KEY}; run"
    " kubectl heart init-namespace, then restart the model's pods"
)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Reads reported outcomes, and nothing that the model could not have predicted."""

    answers: Answers
    max_rows: int
    proofs: Proofs

    def read(self, body: bytes) -> dict[Key, Outcome]:
        """By answer; of two for the same the last counts. Raises Problem, which repeats no value: 403 for an outcome of
        an answer that no pod of this model gave."""
        document = parse_json(body)
        single = type(document) is dict
        items = [document] if single else document
        if type(items) is not list or not items or not all(type(item) is dict for item in items):
            raise Invalid([Violation((), "dict_type", "must be one outcome (an object) or a list of outcomes")])
        if len(items) > self.max_rows:
            raise Problem(413, f"at most {self.max_rows} outcomes are taken at once: send them in parts")
        reject_duplicates(body, sum(map(len, items)))
        broken: list[Violation] = []
        for position, item in enumerate(items):
            broken += self._violations(item, () if single else (position,))
            if len(broken) >= MAX_VIOLATIONS:
                break
        if broken:
            raise Invalid(broken[:MAX_VIOLATIONS])
        found = [Key(item["request_id"], int(item.get("row", 0))) for item in items]
        self._check_proofs(found, items)
        return {key: self._outcome(item["outcome"]) for key, item in zip(found, items, strict=True)}

    def _check_proofs(self, keys: Sequence[Key], items: Sequence[dict[str, Any]]) -> None:
        """Raise Problem if the proof of any item is not valid; it does not say which, or why."""
        for position, (key, item) in enumerate(zip(keys, items, strict=True)):
            if not self.proofs.is_proven(key.request_id, key.row_index, item["proof"]):
                what = f"outcome {position} of the list" if len(items) > 1 else "the outcome"
                raise Problem(403, f"{what} is of no prediction of this model: request_id, proof and row do not match")

    def _violations(self, item: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[Violation]:
        request_id, row = item.get("request_id"), item.get("row", 0)
        if type(request_id) is not str or not REQUEST_ID.fullmatch(request_id.encode()):
            yield Violation((*path, "request_id"), "string_type", "must be the request_id of a prediction")
        if type(item.get("proof")) is not str:
            yield Violation((*path, "proof"), "string_type", "must be the proof that came with the prediction")
        if type(row) not in (int, float) or not 0 <= row < self.max_rows or row != row // 1:
            yield Violation((*path, "row"), "int_type", "must be the position of a record in its request, from 0")
        if not self._is_possible(item.get("outcome")):
            yield Violation((*path, "outcome"), "enum", self._expected())
        for name in item.keys() - {"request_id", "proof", "outcome", "row"}:
            yield Violation((*path, plain_name(name)), "extra_forbidden", "is not a field of an outcome")

    def _is_possible(self, value: Any) -> bool:
        if not self.answers.classes:
            return type(value) in (int, float) and abs(value) <= FLOAT32_MAX
        return type(value) in (int, float, str) and (value in self.answers.classes or value in self.answers.labels)

    def _outcome(self, value: Any) -> Outcome:
        """Return the name of a class that is given by its value or its name; of a regression the number."""
        if not self.answers.classes:
            return float(value)
        classes, labels = self.answers.classes, self.answers.labels
        return labels[classes.index(value)] if value in classes else str(value)

    def _expected(self) -> str:
        if not self.answers.classes:
            return "must be a number"
        known = dict.fromkeys([*map(repr, self.answers.classes), *map(repr, self.answers.labels)])
        return f"must be one of {', '.join(list(known)[:MAX_LISTED_VALUES])}"


class Feedback:
    """Takes reports in. The database works in two threads of its own; what waits for them is bounded."""

    def __init__(
        self, outcomes: Outcomes, store: "Callable[[], Store] | None", metrics: LogMetrics, max_body: int
    ) -> None:
        self._outcomes, self._store, self._metrics = outcomes, store, metrics
        self._bodies = BodyReader(max_body)
        self._threads = ThreadPoolExecutor(2, "feedback")
        self._waiting = 0

    async def take(self, request: Request) -> Stored:
        """Store the outcomes of one request, and return how many. Raises Problem or ClientGone."""
        try:
            outcomes = await self._read(request)
            stored = await self._keep(outcomes, request.scope.get(AUTHOR) or ANONYMOUS)
        except Problem as problem:
            self._metrics.feedback["rejected" if problem.status < 500 else "unavailable"] += 1
            raise
        for result in ("new", "corrected", "unchanged", "conflicts"):
            self._metrics.feedback[result] += getattr(stored, result)
        return stored

    async def _read(self, request: Request) -> dict[Key, Outcome]:
        if self._store is None or not self._outcomes.proofs:
            raise Problem(404, NO_DATABASE if self._store is None else NO_KEY)
        head = read_head(request.scope["headers"])
        check_json(head)
        body = await self._bodies.read(request.receive, head)
        try:
            if len(body) <= INLINE_BYTES:
                return self._outcomes.read(body)
            return await asyncio.to_thread(self._outcomes.read, body)
        finally:
            self._bodies.release(len(body))

    async def _keep(self, outcomes: Mapping[Key, Outcome], author: str) -> Stored:
        if self._waiting >= MAX_WAITING:
            raise Problem(503, "too many outcomes wait for the database: try again", OVERLOADED)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._report, outcomes, author)
        except (Unavailable, RowsRejected):
            raise Problem(503, "the prediction log's database does not answer: try again", TRY_LATER) from None
        finally:
            self._waiting -= 1

    def _report(self, outcomes: Mapping[Key, Outcome], author: str) -> Stored:
        assert self._store is not None
        return self._store().report(outcomes, datetime.now(UTC), author)


def add_feedback(
    app: FastAPI, settings: Settings, answers: Answers, predictions: PredictionLogging, proofs: Proofs
) -> None:
    """Add /feedback, which takes one outcome or a list of them, each with the proof of its prediction."""
    outcomes = Outcomes(answers, settings.max_rows, proofs)
    feedback = Feedback(outcomes, predictions.store, predictions.metrics, settings.max_body)
    outcome = {"enum": [*dict.fromkeys([*answers.classes, *answers.labels])]} if answers.classes else {"type": "number"}
    body = request_body(outcome, settings.max_rows)

    @app.post("/feedback", tags=["feedback"], status_code=202, openapi_extra=body, responses=RESPONSES)
    async def report_outcomes(request: Request) -> JSONResponse:
        """Report what turned out to be true: one outcome, or a list of them.

        `proof` came with the prediction (also as the header `X-Feedback-Proof`). May come late, twice, or before the
        prediction is stored. Who reported an outcome first may correct it; nobody else can.
        """
        try:
            stored = await feedback.take(request)
        except ClientGone:
            return JSONResponse({"detail": "the request was not complete"}, 400)
        except Problem as problem:
            return JSONResponse(error_detail(problem), problem.status, dict(problem.headers))
        return JSONResponse(asdict(stored), 202)


RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Stored: how many outcomes were new, corrected an earlier one, or said nothing new; `conflicts`"
        " were not stored, because another caller has reported an outcome of the same answer."
    },
    400: {"description": "Malformed JSON, or a name twice in one object."},
    403: {"description": "An outcome is of no prediction of this model; nothing was stored."},
    404: {"description": "This model has no database for outcomes, or no key to check proofs with."},
    413: {"description": "Too many bytes or outcomes."},
    415: {"description": "Not plain JSON in UTF-8."},
    422: {"description": "Not an outcome of this model: the field, never the value."},
    503: {"description": "The database does not answer; try again after `Retry-After` seconds."},
}


def request_body(outcome: dict[str, Any], most: int) -> dict[str, Any]:
    """Return OpenAPI's description of the body: at most `most` outcomes of the given schema."""
    one = {
        "type": "object",
        "required": ["request_id", "proof", "outcome"],
        "additionalProperties": False,
        "properties": {
            "request_id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            "proof": {"type": "string", "description": "As it came with the prediction."},
            "row": {
                "type": "integer",
                "minimum": 0,
                "maximum": most - 1,
                "default": 0,
                "description": "Position in a list of records.",
            },
            "outcome": outcome | {"description": "The true class (its value or its name), or the true value."},
        },
    }
    schema = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
