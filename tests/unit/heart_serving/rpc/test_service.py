"""The Open Inference Protocol over gRPC says what /predict says, within the same bounds, and is counted with it."""

import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from hack.cluster.ports import free_port
from heart_api.predictionlog import PredictionLog
from heart_serving.metrics import Exposition
from heart_serving.predictionlog.proofs import read_keys
from heart_serving.predictionlog.settings import LogSettings
from heart_serving.rpc.messages import CLASSES, CONTENTS
from tests.support.serving.app import PROOF_KEY, PROOFS, environment, serving, start
from tests.support.serving.callers import KEY, Mounted
from tests.support.serving.tiny_model import RECORD, tiny_model

SECOND = {"age": 70.0, "sex": 0, "cp": "none", "vessels": 3, "exang": True}
RECORDS = [RECORD, SECOND]
KINDS = {"age": "FP32", "sex": "INT64", "cp": "BYTES", "vessels": "UINT8", "exang": "BOOL"}


class Client:
    """Method names and messages, and nothing of a client library."""

    metrics: Exposition

    def __init__(self, channel: Any, http: httpx.AsyncClient) -> None:
        self._channel = channel
        self.http = http

    async def call(self, method: str, body: bytes = b"", response: str = "", **metadata: str) -> Any:
        pairs = [(name.replace("_", "-"), value) for name, value in metadata.items()]
        call = self._channel.unary_unary(f"/inference.GRPCInferenceService/{method}")(body, metadata=pairs)
        found = CLASSES[response or f"{method}Response"].FromString(await call)
        self.trailing = dict(await call.trailing_metadata())
        return found

    async def infer(self, request: Any, **metadata: str) -> Any:
        return await self.call("ModelInfer", request.SerializeToString(), **metadata)

    async def fails(self, method: str, body: bytes) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as found:
            await self.call(method, body)
        return found.value.code(), found.value.details() or ""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    port = free_port()
    async with (
        serving(tiny_model(), tmp_path, grpc_port=port) as (server, http_port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_port}") as http,
    ):
        client = Client(channel, http)
        client.metrics = Exposition(server.application.predictor.metrics)
        yield client


def question(records: list[dict[str, Any]], *, raw: bool = False, **fields: Any) -> Any:
    request = CLASSES["ModelInferRequest"](**{"model_name": "heart"} | fields)
    for name, kind in KINDS.items():
        tensor = request.inputs.add(name=name, datatype=kind, shape=[len(records)])
        values = [record[name] for record in records]
        if raw:
            request.raw_input_contents.append(raw_bytes(values, kind))
        else:
            getattr(tensor.contents, CONTENTS[kind]).extend(
                [value.encode() for value in values] if kind == "BYTES" else values
            )
    return request


def raw_bytes(values: list[Any], kind: str) -> bytes:
    if kind == "BYTES":
        return b"".join(struct.pack("<I", len(value)) + value.encode() for value in values)
    return np.array(values, {"FP32": "<f4", "INT64": "<i8", "UINT8": "u1", "BOOL": "?"}[kind]).tobytes()


async def predictions(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.http.post("/predict", json=RECORDS)).json()["predictions"]
    return found


async def test_typed_contents_are_answered_in_kind(client: Client) -> None:
    answer = await client.infer(question(RECORDS, id="q-1"))
    expected = await predictions(client)
    assert (answer.model_name, answer.model_version, answer.id) == ("heart", "7", "q-1")
    outputs = {output.name: output for output in answer.outputs}
    assert list(outputs["prediction"].contents.int64_contents) == [each["prediction"] for each in expected]
    assert [label.decode() for label in outputs["label"].contents.bytes_contents] == [e["label"] for e in expected]
    assert list(outputs["probabilities"].contents.fp32_contents)[1::2] == [e["probability"] for e in expected]
    assert list(outputs["probabilities"].shape) == [2, 2]
    assert not answer.raw_output_contents
    [identity] = answer.parameters
    assert (identity.key, identity.value.string_param) == ("request_id", client.trailing["x-request-id"])


async def test_a_call_has_its_id_and_proof_for_the_outcome(tmp_path: Path) -> None:
    """Beside the client's own id, as parameters and as trailing metadata."""
    settings = LogSettings(PredictionLog(sink="None"), "", read_keys(PROOF_KEY))
    port = free_port()
    async with (
        serving(tiny_model(), tmp_path, grpc_port=port, log=settings) as (_, http_port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_port}") as http,
    ):
        client = Client(channel, http)
        answer = await client.infer(question(RECORDS, id="q-1"), x_request_id="q-2")
    found = {entry.key: entry.value.string_param for entry in answer.parameters}
    assert (answer.id, found["request_id"]) == ("q-1", client.trailing["x-request-id"])
    assert found["proof"] == client.trailing["x-feedback-proof"] == PROOFS.prove(found["request_id"], len(RECORDS))


async def test_raw_contents_are_answered_raw(client: Client) -> None:
    request = question(RECORDS, raw=True, model_version="7")
    request.outputs.add(name="probabilities")
    answer = await client.infer(request)
    [output] = answer.outputs
    assert (output.name, output.HasField("contents")) == ("probabilities", False)
    [raw] = answer.raw_output_contents
    assert np.frombuffer(raw, "<f4")[1::2].tolist() == [each["probability"] for each in await predictions(client)]


async def test_one_tensor_of_half_precision_is_read(tmp_path: Path) -> None:
    from tests.unit.heart_serving.protocols.test_oip import NUMBERS

    port = free_port()
    async with (
        serving(tiny_model(NUMBERS), tmp_path, grpc_port=port) as (_, http_port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_port}") as http,
    ):
        expected = (await http.post("/predict", json={"a": 1.5, "b": 7, "c": True})).json()["probability"]
        for kind, data in (("FP16", struct.pack("<3e", 1.5, 7, 1)), ("BF16", b"\xc0\x3f\xe0\x40\x80\x3f")):
            request = CLASSES["ModelInferRequest"](model_name="heart", raw_input_contents=[data])
            request.inputs.add(name="x", datatype=kind, shape=[1, 3])
            answer = await Client(channel, http).infer(request)
            assert np.frombuffer(answer.raw_output_contents[2], "<f4")[1] == np.float32(expected)


async def test_health_and_metadata(client: Client) -> None:
    model = CLASSES["ModelReadyRequest"](name="heart").SerializeToString()
    assert (await client.call("ServerLive")).live
    assert (await client.call("ServerReady")).ready
    assert (await client.call("ModelReady", model)).ready
    assert (await client.call("ServerMetadata")).name == "heartops"
    metadata = await client.call("ModelMetadata", model)
    expected = (await client.http.get("/v2/models/heart")).json()
    assert (metadata.name, list(metadata.versions), metadata.platform) == ("heart", ["7"], expected["platform"])
    for kind in ("inputs", "outputs"):
        found = [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape)} for t in getattr(metadata, kind)]
        assert found == expected[kind]


BAD = grpc.StatusCode.INVALID_ARGUMENT


def broken(**changes: Any) -> bytes:
    record = {**RECORD, **changes}
    data: bytes = question([record]).SerializeToString()
    return data


def without_bytes() -> bytes:
    request = question([RECORD], raw=True)
    del request.raw_input_contents[-1]
    data: bytes = request.SerializeToString()
    return data


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"\xff\xff", BAD, "not a ModelInferRequest"),
        (b"", grpc.StatusCode.NOT_FOUND, "heart version 7"),
        (CLASSES["ModelInferRequest"](model_name="heart").SerializeToString(), BAD, "list of tensors"),
        (question([RECORD], model_name="other").SerializeToString(), grpc.StatusCode.NOT_FOUND, "heart version 7"),
        (question([RECORD], model_version="8").SerializeToString(), grpc.StatusCode.NOT_FOUND, "heart version 7"),
        (question([RECORD], id="x" * 257).SerializeToString(), BAD, "id: must be"),
        (broken(age=540), BAD, "0.age: must be at most 120 years"),
        (broken(cp="None"), BAD, "0.cp: must be one of"),
        (without_bytes(), BAD, "bytes of every input"),
        (question([]).SerializeToString(), BAD, "at least one record"),
    ],
)
async def test_errors_come_by_status_with_the_field_and_the_bound(
    client: Client, body: bytes, code: grpc.StatusCode, says: str
) -> None:
    found, details = await client.fails("ModelInfer", body)
    assert (found, says in details) == (code, True), details


async def test_another_model_has_no_metadata(client: Client) -> None:
    other = CLASSES["ModelReadyRequest"](name="other").SerializeToString()
    for method in ("ModelReady", "ModelMetadata"):
        assert (await client.fails(method, other))[0] is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_messages_are_bounded_after_they_are_unpacked(client: Client, compression: Any) -> None:
    call = client._channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    with pytest.raises(grpc.aio.AioRpcError) as found:
        await call(b"\x32" * 50_000_000, compression=compression)
    assert found.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await call(question([RECORD]).SerializeToString(), compression=compression)) != b""


async def test_calls_are_counted_with_the_other_requests(client: Client) -> None:
    await client.infer(question(RECORDS))
    await client.fails("ModelInfer", broken(age=540))
    metrics = client.metrics().decode()
    assert 'code="200",model_name="heart",model_version="7"} 1.0' in metrics
    assert 'code="422",model_name="heart",model_version="7"} 1.0' in metrics
    assert 'predictions_total{model_name="heart",model_version="7"} 2.0' in metrics


async def test_large_batches_run_on_the_worker(client: Client) -> None:
    answer = await client.infer(question(RECORDS * 3000))
    assert len(answer.outputs[0].contents.int64_contents) == 6000


async def test_a_copy_for_a_candidate_is_a_prediction_over_http(tmp_path: Path) -> None:
    """Its records, and the very answer that it would have got."""
    from heart_serving.exchange import HttpCopy
    from tests.support.serving.app import in_process

    served = in_process(tiny_model(), tmp_path, grpc_port=free_port())
    copies: list[HttpCopy] = []

    class Recording:
        is_on = True

        def offer(self, *copy: Any) -> None:
            copies.append(HttpCopy(*copy[:4]))

    served.application.predictor.mirror = Recording()  # type: ignore[assignment]
    listener = served.application.grpc
    assert listener is not None
    await listener.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{listener._settings.grpc_port}") as channel:
        await Client(channel, served.client).infer(question(RECORDS))
    await listener.stop()
    [copy] = copies
    reply = await served.client.post(copy.path, content=copy.body, headers={"Content-Type": "application/json"})
    assert json.loads(copy.answer.body) | {"request_id": ""} == reply.json() | {"request_id": ""}


def test_a_port_that_is_taken_ends_the_process_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        model, log = tiny_model(), tmp_path / "server.log"
        variables = environment(model.write(tmp_path), model.sha256, free_port())
        process = start(variables | {"HEARTOPS_GRPC_PORT": str(taken.getsockname()[1])}, log)
        assert process.wait(60) != 0
    assert "gRPC cannot listen" in log.read_text()


async def test_connections_are_bounded_in_number(tmp_path: Path) -> None:
    """As over HTTP; those that are open go on."""
    port = free_port()
    async with serving(tiny_model(), tmp_path, grpc_port=port, max_connections=3, connection_seconds=60):
        own = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", own) for _ in range(6)]
        answered = 0
        for channel in channels:
            call = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
            with suppress(grpc.aio.AioRpcError):
                await call(b"", timeout=3)
                answered += 1
        for channel in channels:
            await channel.close()
        assert answered == 3


async def test_a_model_that_asks_for_a_key_asks_for_it_here_too(tmp_path: Path) -> None:
    port, mounted = free_port(), Mounted(tmp_path)
    mounted.allow("clinic", KEY)
    mounted.allow("explainer", "heart_explain", scopes=["explain"])
    mounted.require("APIKey")
    async with (
        serving(tiny_model(), tmp_path, grpc_port=port, auth=mounted.settings),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        described = channel.unary_unary("/inference.GRPCInferenceService/ModelMetadata")
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        model = CLASSES["ModelMetadataRequest"](name="heart").SerializeToString()
        body = question([RECORD]).SerializeToString()

        async def code(call: Any, message: bytes, *metadata: tuple[str, str]) -> grpc.StatusCode:
            try:
                await call(message, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return grpc.StatusCode.OK

        assert await code(infer, body, ("authorization", f"Bearer {KEY}")) is grpc.StatusCode.OK
        assert await code(infer, body, ("x-api-key", KEY)) is grpc.StatusCode.OK
        assert await code(described, model, ("x-api-key", "heart_explain")) is grpc.StatusCode.OK
        for metadata in ((), (("authorization", "Bearer another"),), (("x-api-key", f"{KEY}0"),)):
            assert await code(infer, body, *metadata) is grpc.StatusCode.UNAUTHENTICATED
            assert await code(described, model, *metadata) is grpc.StatusCode.UNAUTHENTICATED
        assert await code(infer, body, ("x-api-key", "heart_explain")) is grpc.StatusCode.PERMISSION_DENIED
        assert await code(live, b"") is await code(ready, b"") is grpc.StatusCode.OK
