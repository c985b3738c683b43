"""The Open Inference Protocol's service on gRPC: the same contract, bounds, metrics, mirror and log as over HTTP."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import orjson

from heart_serving import __version__
from heart_serving.admission.capacity import Capacity
from heart_serving.admission.request_body import read_head
from heart_serving.auth.denied import Denied
from heart_serving.auth.guard import Guard
from heart_serving.errors import Problem
from heart_serving.exchange import Exchange, HttpCopy, problem_of
from heart_serving.predictor import Predictor
from heart_serving.protocols.base import Predict, Reply
from heart_serving.routes.readiness import Readiness
from heart_serving.rpc.inference import GrpcInference, parse
from heart_serving.rpc.messages import CLASSES

SERVICE = "inference.GRPCInferenceService"
INFER = f"/{SERVICE}/ModelInfer"
CLIENT_GONE = 499
CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""By HTTP status; every other error is an INVALID_ARGUMENT."""
Method = Callable[[bytes, Any], Awaitable[bytes]]
HEADERS = (b"x-request-id", b"x-heartops-shadow", b"x-heartops-subject", b"x-heartops-labels")


class InferenceService:
    """Handlers take and return bytes: what they mean is GrpcInference's."""

    def __init__(
        self,
        predictor: Predictor,
        capacity: Capacity,
        protocol: GrpcInference,
        readiness: Readiness,
        guard: Guard,
    ) -> None:
        self._guard = guard
        self._predictor = predictor
        self._capacity = capacity
        self._protocol = protocol
        self._readiness = readiness

    def handler(self) -> Any:
        methods: dict[str, Method] = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": self.model_infer,
        }
        return grpc.method_handlers_generic_handler(
            SERVICE, {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}
        )

    async def server_live(self, body: bytes, context: Any) -> bytes:
        return packed("ServerLiveResponse", live=True)

    async def server_ready(self, body: bytes, context: Any) -> bytes:
        return packed("ServerReadyResponse", ready=not self._readiness.draining)

    async def model_ready(self, body: bytes, context: Any) -> bytes:
        await self._check_model("ModelReadyRequest", body, context)
        return packed("ModelReadyResponse", ready=not self._readiness.draining)

    async def server_metadata(self, body: bytes, context: Any) -> bytes:
        return packed("ServerMetadataResponse", name="heartops", version=__version__)

    async def model_metadata(self, body: bytes, context: Any) -> bytes:
        try:
            self._guard.admit(metadata(context), None)
        except Denied as denied:
            await abort(context, denied)
        await self._check_model("ModelMetadataRequest", body, context)
        return packed("ModelMetadataResponse", **self._protocol.inference.metadata())

    async def _check_model(self, message: str, body: bytes, context: Any) -> None:
        try:
            model = parse(message, body)
            self._protocol.check_model(model.name, model.version)
        except Problem as problem:
            await abort(context, problem)

    async def model_infer(self, body: bytes, context: Any) -> bytes:
        exchange = self._begin(body, context)
        try:
            exchange.caller = self._guard.admit(metadata(context), "predict")
            reply = await self._capacity.run(len(body), self._predictor.predict, self._protocol, exchange)
        except asyncio.CancelledError:
            self._predictor.record(exchange, CLIENT_GONE)
            raise
        except Exception as error:
            problem = problem_of(error, exchange.id)
            exchange.denied = isinstance(problem, Denied)
            self._predictor.record(exchange, problem.status)
            await abort(context, problem, exchange.id)
        proof = (("x-feedback-proof", exchange.proof),) if exchange.proof else ()
        context.set_trailing_metadata((("x-request-id", exchange.id), *proof))
        self._predictor.record(exchange, reply.status)
        return reply.body

    def _begin(self, body: bytes, context: Any) -> Exchange:
        found = [(key, value) for key, value in metadata(context) if key in HEADERS]
        now = time.perf_counter()
        return Exchange(read_head(found, self._predictor.proofs), INFER, now, now, body=body, copy=self._copy)

    def _copy(self, exchange: Exchange) -> HttpCopy:
        """As records and predictions of `/predict`: a candidate is compared over HTTP."""
        assert exchange.outputs is not None
        own = self._protocol.inference
        predict = Predict(own.contract, own.answers, own.version)
        body = orjson.dumps(list(exchange.records))
        parsed = predict.read(body)
        answer = orjson.dumps(predict.write(parsed, exchange.outputs, exchange.id))
        head = exchange.head._replace(content_type=b"application/json", length=len(body))
        return HttpCopy("/predict", head, body, Reply(answer))


def packed(message: str, /, **fields: Any) -> bytes:
    data: bytes = CLASSES[message](**fields).SerializeToString()
    return data


def metadata(context: Any) -> list[tuple[bytes, bytes]]:
    """Of a call, as HTTP's headers."""
    return [(key.encode(), as_bytes(value)) for key, value in context.invocation_metadata()]


def as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


async def abort(context: Any, problem: Problem, request_id: str = "") -> NoReturn:
    """Ends the call with the problem's status; Retry-After and the like go as trailing metadata."""
    trailing = [(name.lower(), value) for name, value in problem.headers.items()]
    if request_id:
        trailing.append(("x-request-id", request_id))
    await context.abort(CODES.get(problem.status, grpc.StatusCode.INVALID_ARGUMENT), problem.message, tuple(trailing))
    raise AssertionError("abort raises")
