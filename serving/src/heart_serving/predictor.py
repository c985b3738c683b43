"""The one entry for a prediction, whichever way its bytes came: the ASGI application, the fast path or gRPC."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from heart_serving.exchange import Exchange
from heart_serving.log import RequestLog
from heart_serving.metrics import ServingMetrics
from heart_serving.mirroring.mirror import Mirror
from heart_serving.predictionlog.recorder import Recorder
from heart_serving.protocols.base import Matrix, PredictionProtocol, Reply

UNCOUNTED = ("/feedback",)
"""Logged, and not counted with the others: what its database does says nothing of the model that answers."""


@dataclass(slots=True)
class Predictor:
    """`predict` may run in any thread; `record` runs on the event loop, when the answer has been sent."""

    run: Callable[[Matrix], Matrix]
    metrics: ServingMetrics
    log: RequestLog
    mirror: Mirror
    recorder: Recorder

    def predict(self, protocol: PredictionProtocol, exchange: Exchange) -> Reply:
        """Body to answer: contract check, one ONNX run, answer in the form of the protocol. Raises Problem."""
        parsed = protocol.read(exchange.body)
        exchange.rows = len(parsed.rows)
        exchange.parsed = time.perf_counter()
        outputs = self.run(parsed.rows)
        exchange.predicted = time.perf_counter()
        answer = protocol.write(parsed, outputs, exchange.id)
        reply = answer if type(answer) is Reply else Reply(orjson.dumps(answer))
        exchange.written = time.perf_counter()
        exchange.records, exchange.outputs = parsed.records, outputs
        return reply

    def record(self, exchange: Exchange, reply: Reply) -> None:
        """Counts, logs and mirrors a request that has been answered."""
        if exchange.outputs is not None:
            self._record_prediction(exchange, exchange.outputs)
            if not exchange.head.shadow:
                self.mirror.offer(exchange.route, exchange.head, exchange.body, reply)
        self.finish(exchange, reply.status)

    def finish(self, exchange: Exchange, status: int) -> None:
        """Counts and logs a request by its status code."""
        if exchange.route not in UNCOUNTED:
            self.metrics.count(status)
        seconds = time.perf_counter() - exchange.started
        self.log.line(exchange.id, exchange.route, status, seconds, exchange.rows, shadow=exchange.head.shadow)

    def _record_prediction(self, exchange: Exchange, outputs: Matrix) -> None:
        metrics = self.metrics
        metrics.predictions += exchange.rows
        metrics.outputs.add(outputs)
        self.recorder.offer(exchange.id, exchange.records, outputs, exchange.head.shadow)
        metrics.latency.observe(exchange.written - exchange.received)
        metrics.preprocess.observe(exchange.parsed - exchange.received)
        metrics.predict.observe(exchange.predicted - exchange.parsed)
        metrics.postprocess.observe(exchange.written - exchange.predicted)
