"""The outermost ASGI application: answers predictions itself, and passes everything else to the framework.

Every request gets an id, is counted and logged here. A prediction goes from bytes to bytes without middleware:
head, body, contract check, one ONNX run, answer.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sized
from typing import Any

import orjson

from heart_model.model import Model
from heart_serving.admission.request_body import ClientGone, Head, Intake, read_head
from heart_serving.admission.worker import Busy, Worker, inline_bytes
from heart_serving.errors import Problem
from heart_serving.explain.worker import ExplainDesk
from heart_serving.http.responses import Fields, respond
from heart_serving.log import RequestLog
from heart_serving.metrics import ServingMetrics
from heart_serving.mirroring.mirror import Mirror
from heart_serving.openapi.schemas import example_record
from heart_serving.predictionlog.recorder import Recorder
from heart_serving.protocols.base import Dialect, Matrix, Reply
from heart_serving.request import FAILED, Call, accept, refusal
from heart_serving.settings import Settings

CLIENT_GONE = 499
"""nginx' code for a client that did not wait; never sent, only logged and counted."""
INTERNAL = ("/health", "/v2/health/", "/metrics", "/artifacts/")
"""Asked by the platform and not by users: neither logged nor counted, they would dilute the error rate."""
UNCOUNTED = ("/feedback",)
"""Logged, and not counted with the others: what its database does says nothing of the model that answers."""

logger = logging.getLogger("heart_serving")


class Edge:
    """ASGI application. `tasks`: the server's requests begun and not answered."""

    def __init__(
        self,
        model: Model,
        settings: Settings,
        dialects: Mapping[str, Dialect | ExplainDesk],
        framework: Any,
        metrics: ServingMetrics,
        log: RequestLog,
        mirror: Mirror,
        recorder: Recorder,
    ) -> None:
        self._run = model.run
        self._max_in_flight = settings.max_in_flight
        self._dialects = dialects
        self.quick = quick_dialects(dialects)
        """By path, as bytes: what `answer_at_once` answers."""
        self._framework = framework
        self._metrics = metrics
        self._log = log
        self._mirror = mirror
        self._recorder = recorder
        self._intake = Intake(settings.max_body)
        self._worker = Worker(settings.max_in_flight)
        example = len(orjson.dumps(example_record(model.package.features)))
        self._inline_bytes = inline_bytes(model.row_seconds, model.further_seconds, example)
        self.tasks: Sized = ()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        dialect = self._dialects.get(scope["path"]) if scope["type"] == "http" else None
        if dialect is None:
            await self._pass_on(scope, receive, send)
        else:
            await self._answer(dialect, scope, receive, send)

    async def _answer(self, dialect: Dialect | ExplainDesk, scope: Any, receive: Any, send: Any) -> None:
        head = read_head(scope["headers"])
        call = Call(head.request_id, scope["path"], time.perf_counter(), shadow=head.shadow)
        try:
            self._admit(scope["method"])
            dialect = accept(dialect, head)
            reply = await self._predict(dialect, head, receive, call)
        except ClientGone:
            self._finish(call, CLIENT_GONE)
            return
        except Exception as error:
            reply = refusal(dialect, call, error)
        await respond(send, reply, call.id)
        self._conclude(call, head, reply)

    def answer_at_once(
        self, url: bytes, headers: Fields, body: bytes, write: Callable[[Reply, str], None], surplus: bool, ahead: int
    ) -> int | None:
        """Status of the answer to a POST that has arrived whole, without the detour over ASGI; None: it is too large.

        `url`: one of `quick`, as the client wrote it. `write` is given the reply and the request's id.
        `surplus`: too much has arrived at one time, this is to be refused. `ahead`: so many go to the worker before it.
        """
        small = len(body) <= self._inline_bytes
        if not (small or surplus or self._worker.is_full(ahead)):
            return None
        dialect = self.quick[url]
        head = read_head(headers)
        now = time.perf_counter()
        call = Call(head.request_id, url.decode(), now, received=now, shadow=head.shadow, body=body)
        try:
            if surplus or not small:
                raise Busy
            reply = self._work(accept(dialect, head), body, call)
        except Exception as error:
            reply = refusal(dialect, call, error)
        write(reply, call.id)
        self._conclude(call, head, reply)
        return reply.status

    def _conclude(self, call: Call, head: Head, reply: Reply) -> None:
        if reply.status == 200 and call.outputs is not None:
            self._observe(call, call.outputs)
            if not call.shadow:
                self._mirror.offer(call.route, head, call.body, reply)
        self._finish(call, reply.status)

    def _admit(self, method: str) -> None:
        if method != "POST":
            raise Problem(405, "use POST", {"Allow": "POST"})
        # A request whose body is still on its way costs nothing yet, and has a bound of its own.
        if len(self.tasks) - self._intake.waiting > self._max_in_flight:
            raise Busy

    async def _predict(self, dialect: Dialect | ExplainDesk, head: Head, receive: Any, call: Call) -> Reply:
        if not isinstance(dialect, ExplainDesk) and (head.length or 0) > self._inline_bytes:
            self._worker.check()
        call.body = body = await self._intake.read(receive, head.length)
        call.received = time.perf_counter()
        try:
            if isinstance(dialect, ExplainDesk):
                return await self._explain(dialect, body, call)
            if len(body) <= self._inline_bytes:
                return self._work(dialect, body, call)
            return await self._worker.run(self._work, dialect, body, call)
        finally:
            self._intake.release(len(body))

    async def _explain(self, desk: ExplainDesk, body: bytes, call: Call) -> Reply:
        """No prediction: neither counted as one nor mirrored."""
        call.rows, answer = await desk.answer(body, call.id)
        self._metrics.explain.observe(time.perf_counter() - call.received)
        return Reply(answer)

    def _work(self, dialect: Dialect, body: bytes, call: Call) -> Reply:
        question = dialect.read(body)
        call.rows = len(question.rows)
        call.records = question.records
        call.parsed = time.perf_counter()
        call.outputs = outputs = self._run(question.rows)
        call.predicted = time.perf_counter()
        answer = dialect.write(question, outputs, call.id)
        reply = answer if type(answer) is Reply else Reply(orjson.dumps(answer))
        call.written = time.perf_counter()
        return reply

    def _observe(self, call: Call, outputs: Matrix) -> None:
        metrics = self._metrics
        metrics.predictions += call.rows
        metrics.outputs.add(outputs)
        self._recorder.offer(call.id, call.records, outputs, call.shadow)
        metrics.latency.observe(call.written - call.received)
        metrics.preprocess.observe(call.parsed - call.received)
        metrics.predict.observe(call.predicted - call.parsed)
        metrics.postprocess.observe(call.written - call.predicted)

    def _finish(self, call: Call, status: int) -> None:
        if call.route not in UNCOUNTED:
            self._metrics.count(status)
        self._log.line(call.id, call.route, status, time.perf_counter() - call.started, call.rows, shadow=call.shadow)

    async def _pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._framework(scope, receive, send)
            return
        head = read_head(scope["headers"])
        call = Call(head.request_id, "", time.perf_counter(), shadow=head.shadow)
        status = FAILED.status

        async def send_tagged(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", call.id.encode())]
            await send(message)

        try:
            await self._framework(scope, receive, send_tagged)
        except Exception:  # the framework has answered with 500
            logger.exception("request %s failed", call.id)
        if not scope["path"].startswith(INTERNAL):
            # The path itself may hold anything; the route's template does not.
            call.route = getattr(scope.get("route"), "path", "(none)")
            self._finish(call, status)


def quick_dialects(dialects: Mapping[str, Dialect | ExplainDesk]) -> dict[bytes, Dialect]:
    return {path.encode(): dialect for path, dialect in dialects.items() if not isinstance(dialect, ExplainDesk)}
