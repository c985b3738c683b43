"""The outermost ASGI application: answers predictions itself, and passes everything else to the framework.

Every request gets an id, is counted and logged here. A prediction goes from bytes to bytes without middleware.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sized
from typing import Any

import orjson

from heart_api.authentication import Scope
from heart_serving.admission.capacity import Capacity
from heart_serving.admission.request_body import BodyReader, ClientGone, read_head
from heart_serving.admission.worker import Busy
from heart_serving.auth.denied import Denied
from heart_serving.auth.guard import NOBODY, OPEN_PATHS, Guard
from heart_serving.auth.keys import Caller
from heart_serving.errors import Problem
from heart_serving.exchange import FAILED, Exchange, error_reply
from heart_serving.experiment.experiment import UNREACHABLE, marked
from heart_serving.explain.worker import ExplainWorker
from heart_serving.http.responses import Fields, respond
from heart_serving.predictor import Predictor, packed
from heart_serving.protocols.base import PredictionProtocol, Reply
from heart_serving.routes.names import AUTHOR, LEAVE_VERSION, error_key

CLIENT_GONE = 499
"""nginx' code for a client that did not wait; never sent, only logged and counted."""
HEALTH = ("/health", "/v2/health/")
"""Asked by load balancers and not by users: neither logged nor counted, they would dilute the error rate."""
EXPLAIN = "/explain"
FEEDBACK = "/feedback"

Work = Callable[[PredictionProtocol, Exchange], Awaitable[Reply]]
logger = logging.getLogger("heart_serving")


class PredictionApp:
    """ASGI application. `tasks`: the server's requests begun and not answered."""

    def __init__(
        self,
        predictor: Predictor,
        protocols: Mapping[str, PredictionProtocol],
        explainer: ExplainWorker | None,
        framework: Any,
        capacity: Capacity,
        bodies: BodyReader,
        guard: Guard,
    ) -> None:
        self._predictor = predictor
        self._protocols = protocols
        self._explainer = explainer
        self._framework = framework
        self._capacity = capacity
        self._bodies = bodies
        self._guard = guard
        self._experiment = predictor.experiment
        self.tasks: Sized = ()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._framework(scope, receive, send)
        elif (protocol := self._protocols.get(scope["path"])) is not None:
            await self._answer(protocol, self._predict, scope, receive, send)
        elif scope["path"] == EXPLAIN and self._explainer is not None:
            await self._answer(self._explainer.protocol, self._explain, scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _answer(self, protocol: PredictionProtocol, work: Work, scope: Any, receive: Any, send: Any) -> None:
        head = read_head(scope["headers"], self._predictor.proofs)
        arm = None if head.shadow else self._experiment.arm_of(scope["path"], scope["headers"])
        exchange = Exchange(marked(head) if arm == "stable" else head, scope["path"], time.perf_counter())
        exchange.arm = arm if work == self._predict else None
        try:
            self._admit(scope["method"])
            wanted: Scope = "predict" if work == self._predict else "explain"
            exchange.caller = self._guard.admit(scope["headers"], wanted)
            accepted = protocol.accept(head)
            if work == self._predict:
                self._capacity.check(head.length or 0)
            exchange.body = await self._bodies.read(receive, head)
            exchange.received = time.perf_counter()
            try:
                reply = await self._hand_on(exchange, scope) if arm == "candidate" else None
                reply = reply or await work(accepted, exchange)
            finally:
                self._bodies.release(len(exchange.body))
        except ClientGone:
            self._predictor.finish(exchange, CLIENT_GONE)
            return
        except Exception as error:
            reply = error_reply(protocol, exchange, error)
        await respond(send, reply, exchange.id, exchange.proof)
        self._predictor.record(exchange, reply.status)

    def _admit(self, method: str) -> None:
        if method != "POST":
            raise Problem(405, "use POST", {"Allow": "POST"})
        # A request whose body is still on its way costs nothing yet, and has a bound of its own.
        if len(self.tasks) - self._bodies.waiting > self._capacity.max_in_flight:
            raise Busy

    def _admit_to(self, path: str, headers: Fields) -> Caller:
        """Raises Denied."""
        if path in OPEN_PATHS:
            return NOBODY
        return self._guard.admit(headers, "feedback" if path == FEEDBACK else None)

    async def _predict(self, protocol: PredictionProtocol, exchange: Exchange) -> Reply:
        return await self._capacity.run(len(exchange.body), self._predictor.predict, protocol, exchange)

    async def _hand_on(self, exchange: Exchange, scope: Any) -> Reply | None:
        """The answer of the candidate to one of its users; None: it does not answer, and counts as failed."""
        reply = await self._experiment.ask(scope["path"], scope["headers"], exchange.body)
        if reply is None:
            exchange.arm_code = UNREACHABLE
            return None
        headers = dict(reply.headers)
        exchange.handed_on = True
        exchange.proof = headers.pop("X-Feedback-Proof", "")
        exchange.head = exchange.head._replace(request_id=headers.pop("X-Request-Id", exchange.id))
        if leave_version_to_reply := scope.get(LEAVE_VERSION):
            leave_version_to_reply()
        return packed(Reply(reply.body, headers, reply.status), exchange.head.accept_encoding)

    async def _explain(self, protocol: PredictionProtocol, exchange: Exchange) -> Reply:
        """No prediction: neither counted as one nor mirrored."""
        assert self._explainer is not None
        exchange.rows, answer = await self._explainer.answer(exchange.body, exchange.id)
        self._predictor.metrics.explain.observe(time.perf_counter() - exchange.received)
        return Reply(answer)

    async def _pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        """HEAD is what GET says, without its body."""
        exchange = Exchange(read_head(scope["headers"]), "", time.perf_counter())
        status = FAILED.status
        try:
            exchange.caller = self._admit_to(scope["path"], scope["headers"])
        except Denied as denied:
            body = orjson.dumps({error_key(scope["path"]): denied.message})
            await respond(send, Reply(body, denied.headers, denied.status), exchange.id)
            return
        scope = {**scope, AUTHOR: exchange.caller.author}

        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}

        async def send_tagged(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", exchange.id.encode())]
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._framework(scope, receive, send_tagged)
        except Exception:  # the framework has answered with 500
            logger.exception("request %s failed", exchange.id)
        if not scope["path"].startswith(HEALTH):
            # The path itself may hold anything; the route's template does not.
            exchange.route = getattr(scope.get("route"), "path", "(none)")
            self._predictor.finish(exchange, status)
