"""Binary tensor data, written by hand as the protocol's text says, means the same as JSON."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from tests.support.serving.app import InProcess
from tests.support.serving.tiny_model import RECORD

INFER = "/v2/models/heart/infer"
HEADER = "Inference-Header-Content-Length"
SECOND = {"age": 70, "sex": 0, "cp": "none", "vessels": None, "exang": True}


def tensor(name: str, datatype: str, data: bytes, **more: Any) -> tuple[dict[str, Any], bytes]:
    described = {"name": name, "shape": [2], "datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    return described | more, data


def strings(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


TENSORS = [
    tensor("age", "FP64", np.array([54, 70], "<f8").tobytes()),
    tensor("sex", "UINT8", np.array([1, 0], "<u1").tobytes()),
    tensor("cp", "BYTES", strings("typical", "none")),
    tensor("vessels", "FP16", np.array([2, np.nan], "<f2").tobytes()),
    tensor("exang", "BOOL", b"\x00\x01"),
]


def assemble(tensors: list[tuple[dict[str, Any], bytes]], **more: Any) -> tuple[bytes, dict[str, str]]:
    text = json.dumps({"inputs": [described for described, _ in tensors]} | more).encode()
    body = text + b"".join(data for _, data in tensors)
    return body, {"Content-Type": "application/octet-stream", HEADER: str(len(text))}


async def test_bytes_mean_the_same_as_json(served: InProcess) -> None:
    body, headers = assemble(TENSORS)
    answer = (await served.client.post(INFER, content=body, headers=headers)).json()
    wanted = (await served.client.post("/predict", json=[RECORD, SECOND])).json()["predictions"]
    assert answer["outputs"][2]["data"][1::2] == [row["probability"] for row in wanted]


async def test_a_tensor_may_come_as_json_beside_bytes(served: InProcess) -> None:
    age = {"name": "age", "shape": [2], "datatype": "FP32", "data": [54, 70]}
    body, headers = assemble([(age, b""), *TENSORS[1:]])
    assert (await served.client.post(INFER, content=body, headers=headers)).status_code == 200


@pytest.mark.parametrize("by_output", [True, False])
async def test_answers_come_as_bytes_when_asked_for(served: InProcess, by_output: bool) -> None:
    names = ["probabilities", "label", "prediction"]
    wanted: dict[str, Any] = {"outputs": [{"name": name, "parameters": {"binary_data": True}} for name in names]}
    if not by_output:
        wanted = {"parameters": {"binary_data_output": True}, "outputs": [{"name": name} for name in names]}
    body, headers = assemble(TENSORS, **wanted)
    plain = (await served.client.post(INFER, content=assemble(TENSORS)[0], headers=assemble(TENSORS)[1])).json()
    reply = await served.client.post(INFER, content=body, headers=headers)
    length = int(reply.headers[HEADER])
    described = json.loads(reply.content[:length])["outputs"]
    sizes = [output["parameters"]["binary_data_size"] for output in described]
    assert [output["name"] for output in described] == names
    assert length + sum(sizes) == len(reply.content)
    tail = reply.content[length:]
    expected = {output["name"]: output["data"] for output in plain["outputs"]}
    assert np.frombuffer(tail[: sizes[0]], "<f4").tolist() == expected["probabilities"]
    assert tail[sizes[0] : sizes[0] + sizes[1]] == strings(*expected["label"])
    assert np.frombuffer(tail[sizes[0] + sizes[1] :], "<i8").tolist() == expected["prediction"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (tensor("age", "FP32", b"\x00" * 7), "bytes are not of its datatype FP32"),
        (tensor("age", "FP32", b"\x00" * 4), "as many values as its shape says"),
        (tensor("age", "BYTES", b"\xff\xff\xff\xff"), "bytes are not of its datatype BYTES"),
        (tensor("age", "BYTES", strings("a", "b")[:-1] + b"\xff"), "bytes are not of its datatype BYTES"),
        (tensor("age", "FP32", b"\x00" * 8, parameters={"binary_data_size": 10**9}), "fewer bytes behind the JSON"),
        (tensor("age", "FP32", b"\x00" * 8, parameters={"binary_data_size": -8}), "data: is missing"),
        (tensor("age", "FP32", b"\x00" * 8, parameters={"binary_data_size": "8"}), "data: is missing"),
        (tensor("age", "FP32", b"\x00" * 8, parameters={}), "data: is missing"),
        (tensor("age", "FP32", b"\x00" * 8 + b"more", parameters={"binary_data_size": 8}), "bytes"),
    ],
)
async def test_bytes_that_do_not_fit_are_rejected(
    served: InProcess, changed: tuple[dict[str, Any], bytes], says: str
) -> None:
    body, headers = assemble([*TENSORS[1:], changed])
    reply = await served.client.post(INFER, content=body, headers=headers)
    assert reply.status_code == 400
    assert says in reply.json()["error"]


@pytest.mark.parametrize("length", ["", "-1", "1e3", "9" * 30, "100000000"])
async def test_a_wrong_length_is_rejected(served: InProcess, length: str) -> None:
    body, headers = assemble(TENSORS)
    reply = await served.client.post(INFER, content=body, headers=headers | {HEADER: length})
    assert (reply.status_code, HEADER in reply.json()["error"]) == (400, True)


async def test_infinity_and_nan_break_the_contract_where_a_value_is_needed(served: InProcess) -> None:
    for value in (np.inf, np.nan):
        body, headers = assemble([tensor("age", "FP32", np.array([54, value], "<f4").tobytes()), *TENSORS[1:]])
        reply = await served.client.post(INFER, content=body, headers=headers)
        assert reply.status_code == 422
        assert "1.age" in reply.json()["error"]


async def test_only_this_protocol_has_bytes(served: InProcess) -> None:
    body, headers = assemble(TENSORS)
    for path in ("/predict", "/invocations", "/v1/models/heart:predict"):
        assert (await served.client.post(path, content=body, headers=headers)).status_code == 415
    for kind in ("text/plain", "application/x-python-serialize"):
        reply = await served.client.post(INFER, content=body, headers=headers | {"Content-Type": kind})
        assert reply.status_code == 415
    without = {"Content-Type": "application/octet-stream"}
    assert (await served.client.post(INFER, content=body, headers=without)).status_code == 400
