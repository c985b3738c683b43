"""The thread that explains, with a short queue of its own, so that no prediction waits behind an explanation."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from fastapi import FastAPI, HTTPException

from heart_api.explanation import Explanation
from heart_api.package import ServingPackage
from heart_model.explain.opening import open_explainer
from heart_model.model import Model, read_checked
from heart_serving.admission.request_body import OVERLOADED
from heart_serving.errors import Problem
from heart_serving.explain.answering import MAX_RECORDS, Explain
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.base import Predict
from heart_serving.protocols.contract import Contract
from heart_serving.settings import Settings

MAX_WAITING = 8
"""Requests that are being explained or wait for it; beyond, clients get 503 with Retry-After."""


class ExplainWorker:
    """Explains one request at a time, in a thread. Used on the event loop alone."""

    def __init__(self, explain: Explain) -> None:
        self.protocol = explain.predict
        """Says which requests are accepted, and writes errors."""
        self._explain = explain
        self._worker = ThreadPoolExecutor(1, "explain")
        self._waiting = 0

    async def answer(self, body: bytes, request_id: str) -> tuple[int, bytes]:
        """As Explain.answer, in the worker thread. Raises Problem 503 if MAX_WAITING requests are waiting already."""
        if self._waiting >= MAX_WAITING:
            raise Problem(503, "the server is busy explaining: try again", OVERLOADED)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, self._explain.answer, body, request_id)
        finally:
            self._waiting -= 1


def open_explain_worker(model: Model, settings: Settings, contract: Contract, answers: Answers) -> ExplainWorker | None:
    """None when this pod does not explain. Raises ModelRejected for data that do not fit the model."""
    explanation = shipped(model.package, settings)
    if explanation is None:
        return None

    def data() -> bytes:
        return read_checked(settings.file, settings.sha256)

    explainer = open_explainer(model.run, model.package, explanation, data)
    bounded = replace(contract, max_rows=min(contract.max_rows, MAX_RECORDS[explanation.method]))
    return ExplainWorker(Explain(Predict(bounded, answers, settings.version), model.run, explainer, explanation))


def shipped(package: ServingPackage, settings: Settings) -> Explanation | None:
    """The package's explanation, or None if it has none or explanations are switched off for this model."""
    return package.explanation if settings.explanations else None


def add_explain_error(app: FastAPI, package: ServingPackage, settings: Settings) -> None:
    """Add a `/explain` that answers 404 with the reason, if this pod explains nothing."""
    if shipped(package, settings):
        return
    why = "this version carries no data for explanations: train it again"
    if not settings.explanations:
        why = "explanations are switched off for this model (spec.serving.explanations)"

    @app.post("/explain", include_in_schema=False)
    async def not_explained() -> None:
        raise HTTPException(404, why)
