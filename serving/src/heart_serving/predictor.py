"""The one entry for a prediction, whichever way its bytes came: the ASGI application, the fast path or gRPC."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from heart_serving.admission.compression import accepted_encoding, pack
from heart_serving.exchange import Exchange, HttpCopy
from heart_serving.experiment.experiment import Experiment
from heart_serving.log import RequestLog
from heart_serving.metrics import ServingMetrics
from heart_serving.mirroring.mirror import Mirror
from heart_serving.predictionlog.proofs import Proofs
from heart_serving.predictionlog.recorder import Recorder
from heart_serving.protocols.answers import Outputs
from heart_serving.protocols.base import Matrix, PredictionProtocol, Reply

LEAST_PACKED = 4096
"""Bytes of an answer; shorter ones cost more to compress than to send."""
UNCOUNTED = ("/feedback",)
"""Logged, and not counted with the others: what its database does says nothing of the model that answers."""


@dataclass(slots=True)
class Predictor:
    """`predict` may run in any thread; `record` runs on the event loop, when the answer has been sent."""

    run: Callable[[Matrix], Outputs]
    metrics: ServingMetrics
    log: RequestLog
    mirror: Mirror
    recorder: Recorder
    proofs: Proofs
    experiment: Experiment

    def predict(self, protocol: PredictionProtocol, exchange: Exchange) -> Reply:
        """Body to answer: contract check, one ONNX run, answer in the form of the protocol. Raises Problem."""
        parsed = protocol.read(exchange.body)
        exchange.rows = len(parsed.rows)
        exchange.parsed = time.perf_counter()
        outputs = self.run(parsed.rows)
        exchange.predicted = time.perf_counter()
        proof = "" if exchange.head.shadow else self.proofs.prove(exchange.id, exchange.rows)
        answer = protocol.write(parsed, outputs, exchange.id, proof)
        reply = answer if type(answer) is Reply else Reply(orjson.dumps(answer))
        exchange.proof = proof
        exchange.written = time.perf_counter()
        exchange.records, exchange.outputs, exchange.answer = parsed.records, outputs, reply
        return packed(reply, exchange.head.accept_encoding)

    def record(self, exchange: Exchange, status: int) -> None:
        """Counts, logs and mirrors a request that has been answered."""
        if exchange.outputs is not None and exchange.answer is not None:
            self._record_prediction(exchange, exchange.outputs)
            if self.mirror.is_on and not exchange.head.shadow:
                copy = exchange.copy(exchange) if exchange.copy else None
                copy = copy or HttpCopy(exchange.route, exchange.head, exchange.body, exchange.answer)
                self.mirror.offer(*copy, exchange.caller.credential)
        self.finish(exchange, status)

    def finish(self, exchange: Exchange, status: int) -> None:
        """Counts and logs a request by its status code. A denied one is the guard's to count: it says nothing of the
        model, and would dilute its error rate."""
        if exchange.denied:
            return
        if exchange.caller.name:
            self.metrics.count_caller(exchange.caller.name)
        if exchange.arm and (target := self.experiment.target):
            self.metrics.count_arm(target.version, exchange.arm, exchange.arm_code or status)
        if exchange.route not in UNCOUNTED and not exchange.handed_on:
            self.metrics.count(status)
        seconds = time.perf_counter() - exchange.started
        head = exchange.head
        self.log.line(exchange.id, exchange.route, status, seconds, exchange.rows, head.shadow, head.correlation_id)

    def _record_prediction(self, exchange: Exchange, outputs: Outputs) -> None:
        metrics = self.metrics
        metrics.predictions += exchange.rows
        metrics.last_prediction = time.time()
        metrics.count_outputs(outputs)
        head = exchange.head
        self.recorder.offer((exchange.id, exchange.records, outputs, head.shadow, head.subject, head.labels))
        metrics.latency.observe(exchange.written - exchange.received)
        metrics.preprocess.observe(exchange.parsed - exchange.received)
        metrics.predict.observe(exchange.predicted - exchange.parsed)
        metrics.postprocess.observe(exchange.written - exchange.predicted)


def packed(reply: Reply, accept_encoding: bytes) -> Reply:
    """The reply as the client accepts it, compressed when it is long."""
    if len(reply.body) < LEAST_PACKED or (encoding := accepted_encoding(accept_encoding)) is None:
        return reply
    return Reply(pack(reply.body, encoding), {**reply.headers, "Content-Encoding": encoding}, reply.status)
