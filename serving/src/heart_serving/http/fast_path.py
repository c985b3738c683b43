"""Small predictions, answered in the read callback of their connection.

uvicorn makes a task and a scope of each request and hands messages to and fro, which costs as much as the prediction
itself. A small prediction needs none of it: it is complete in one read, and answered before the next.
"""

import asyncio
import time
from collections.abc import Mapping

from heart_serving.admission.capacity import Capacity
from heart_serving.admission.event_loop_budget import EventLoopBudget
from heart_serving.admission.request_body import Head, read_head
from heart_serving.admission.worker import Busy
from heart_serving.auth.denied import Denied
from heart_serving.auth.guard import Guard
from heart_serving.auth.keys import Caller
from heart_serving.errors import Problem
from heart_serving.exchange import Exchange, error_reply
from heart_serving.experiment.assignment import Arm
from heart_serving.experiment.experiment import marked
from heart_serving.http.prefix import Prefix
from heart_serving.http.responses import Fields
from heart_serving.predictor import Predictor
from heart_serving.protocols.base import PredictionProtocol


class FastPath:
    """All that a connection knows of predictions. Used on the event loop alone."""

    def __init__(
        self,
        predictor: Predictor,
        protocols: Mapping[str, PredictionProtocol],
        capacity: Capacity,
        guard: Guard,
        prefix: Prefix,
    ) -> None:
        self._predictor = predictor
        self._experiment = predictor.experiment
        self._prefix = prefix
        self._guard = guard
        self._protocols = {path.encode(): protocol for path, protocol in protocols.items()}
        self._capacity = capacity
        self._budget = EventLoopBudget()

    def takes(self, url: bytes) -> bool:
        """Return whether a POST to `url`, as the client wrote it, may be answered here."""
        return self._prefix.inner(url) in self._protocols

    def answer(self, loop: asyncio.AbstractEventLoop, url: bytes, headers: Fields, body: bytes) -> Exchange | None:
        """The answered request, for the connection to send and then to `record`; None: it has to go through ASGI.

        `url`: one that `takes` is true of. `body` is whole.
        """
        url = self._prefix.inner(url)
        head = read_head(headers, self._predictor.proofs)
        if self._budget.is_exhausted(loop):
            return self._reject(url, head, Busy())
        if head.encoding or head.origin:
            return None
        try:
            caller = self._guard.admit(headers, "predict")
        except Denied as denied:
            return self._reject(url, head, denied)
        arm = None
        if self._experiment.is_on and not head.shadow:
            arm = self._experiment.arm_of(url.decode(), headers)
            if arm == "candidate":
                return None
            head = marked(head) if arm else head
        if self._capacity.is_small(len(body)):
            return self._predict(url, head, body, caller, arm)
        if self._capacity.worker.is_full(self._budget.handed_over):
            self._budget.count_rejection(loop)
            return self._reject(url, head, Busy())
        self._budget.handed_over += 1
        return None

    def record(self, exchange: Exchange) -> None:
        """Count and log the exchange, and mirror it; to be called once the answer has been sent."""
        assert exchange.reply is not None
        self._predictor.record(exchange, exchange.reply.status)

    def _predict(self, url: bytes, head: Head, body: bytes, caller: Caller, arm: Arm | None) -> Exchange:
        protocol, now = self._protocols[url], time.perf_counter()
        exchange = Exchange(head, url.decode(), now, now, body=body, caller=caller, arm=arm)
        try:
            exchange.reply = self._predictor.predict(protocol.accept(head), exchange)
        except Exception as error:
            exchange.reply = error_reply(protocol, exchange, error)
        return exchange

    def _reject(self, url: bytes, head: Head, problem: Problem) -> Exchange:
        exchange = Exchange(head, url.decode(), time.perf_counter())
        exchange.reply = error_reply(self._protocols[url], exchange, problem)
        return exchange
