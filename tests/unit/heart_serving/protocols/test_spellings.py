"""A value of the contract means the same however a client may write it: names, 0 and 1, numbers of any precision."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heart_api.contract import Feature, at_precision
from heart_serving.protocols.contract import Contract
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import tiny_model

INFER = "/v2/models/heart/infer"
CODED = (
    Feature(name="cp", type="category", values=(3, 0, 1, 2), codes={"asymptomatic": 0, "typical": 3}),
    Feature(name="fbs", type="boolean"),
    Feature(name="thal", type="category", values=("n", "r"), codes={"normal": "n"}, required=False),
)
BY_CODE = [{"cp": 0, "fbs": True, "thal": "n"}, {"cp": 3, "fbs": False, "thal": "r"}]
BY_NAME = [{"cp": "asymptomatic", "fbs": 1, "thal": "normal"}, {"cp": "typical", "fbs": 0, "thal": "r"}]


def column(name: str, datatype: str, values: Sequence[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": list(values)}


def tensors(records: list[dict[str, Any]], cp: str, fbs: str) -> dict[str, Any]:
    kinds = {"cp": cp, "fbs": fbs, "thal": "BYTES"}
    return {"inputs": [column(name, kind, [record[name] for record in records]) for name, kind in kinds.items()]}


CSV = "cp,fbs,thal\nasymptomatic,1,normal\ntypical,0,r\n"


@pytest.fixture(params=[True, False], ids=["fast-path", "asgi"])
def coded(tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    return in_process(tiny_model(CODED), tmp_path, fast_path=request.param)


@pytest.mark.parametrize(
    ("path", "named", "coded_"),
    [
        ("/predict", BY_NAME, BY_CODE),
        ("/predict", BY_NAME[0], BY_CODE[0]),
        ("/invocations", {"dataframe_records": BY_NAME}, {"dataframe_records": BY_CODE}),
        ("/invocations", {"inputs": {"cp": ["typical"], "fbs": [0.0], "thal": ["r"]}}, {"inputs": BY_CODE[1]}),
        ("/v1/models/heart:predict", {"instances": BY_NAME}, {"instances": BY_CODE}),
        (INFER, tensors(BY_NAME, "BYTES", "INT8"), tensors(BY_CODE, "INT64", "BOOL")),
        (INFER, tensors(BY_NAME, "BYTES", "FP32"), tensors(BY_CODE, "FP64", "BOOL")),
    ],
)
async def test_names_and_numbers_are_answered_alike(coded: InProcess, path: str, named: Any, coded_: Any) -> None:
    replies = [await coded.client.post(path, json=body) for body in (named, coded_)]
    assert [reply.status_code for reply in replies] == [200, 200], replies[0].text
    ids = [reply.headers["x-request-id"] for reply in replies]
    assert replies[0].json() == json.loads(replies[1].text.replace(ids[1], ids[0]))


async def test_names_are_read_in_csv(coded: InProcess) -> None:
    by_csv = await coded.client.post("/invocations", content=CSV, headers={"Content-Type": "text/csv"})
    assert by_csv.json() == (await coded.client.post("/invocations", json={"dataframe_records": BY_CODE})).json()


def test_the_prediction_log_is_given_the_contracts_values() -> None:
    contract = Contract.of(CODED, 10)
    _, from_objects = contract.check(BY_NAME)
    read = contract.read(json.dumps(BY_NAME).encode())
    assert read is not None
    for records in (from_objects, read[1]):
        assert list(records) == BY_CODE
        assert [type(record["fbs"]) for record in records] == [bool, bool]


async def test_what_is_neither_value_nor_name_is_rejected_with_both_listed(coded: InProcess) -> None:
    reply = await coded.client.post("/predict", json=BY_CODE[0] | {"cp": "ASYMPTOMATIC", "fbs": 2})
    messages = [item["msg"] for item in reply.json()["detail"]]
    assert messages == [
        "must be one of 3, 0, 1, 2, 'asymptomatic', 'typical'",
        "must be true or false, or 1 or 0",
    ]


async def test_openapi_documents_the_names(coded: InProcess) -> None:
    document = (await coded.client.get("/openapi.json")).json()
    properties = document["components"]["schemas"]["Record"]["properties"]
    assert properties["cp"]["enum"] == [3, 0, 1, 2, "asymptomatic", "typical"]
    assert properties["cp"]["x-codes"] == {"asymptomatic": 0, "typical": 3}
    assert properties["fbs"]["enum"] == [True, False, 1, 0]


BOUNDED = (
    Feature(name="age", type="number"),
    Feature(name="weight", type="number", minimum=30.3, maximum=130.1),
)
CHOICES = {"FP16": 16, "BF16": "bfloat16", "FP32": 32, "FP64": 64}


def rounded(value: float, datatype: str) -> float:
    """By numpy, and for bfloat16 by the nearer of the two neighbours."""
    if datatype == "BF16":
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
        neighbours = [struct.unpack("<f", struct.pack("<I", (bits & 0xFFFF0000) + step))[0] for step in (0, 0x10000)]
        return float(min(neighbours, key=lambda each: abs(each - value)))
    return float({"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}[datatype](value))


def packed(value: float, datatype: str) -> bytes:
    if datatype == "BF16":
        return struct.pack("<f", value)[2:]
    return struct.pack({"FP16": "<e", "FP32": "<f", "FP64": "<d"}[datatype], value)


@pytest.mark.parametrize("datatype", CHOICES)
@pytest.mark.parametrize("bound", [30.3, 130.1])
@pytest.mark.parametrize("form", ["json", "binary", "matrix"])
async def test_a_bound_is_within_the_bounds_at_every_precision(
    tmp_path: Path, datatype: str, bound: float, form: str
) -> None:
    served = in_process(tiny_model(BOUNDED), tmp_path, fast_path=True)
    value = rounded(bound, datatype)
    assert at_precision(bound, CHOICES[datatype]) == value  # type: ignore[arg-type]
    assert (await ask(served, datatype, value, form)).status_code == 200
    step = {"FP16": 2**-3, "BF16": 1.0, "FP32": 2**-15, "FP64": 2**-40}[datatype]
    outside = value + step if bound == 130.1 else value - step
    reply = await ask(served, datatype, rounded(outside, datatype), form)
    assert reply.status_code == 422, (value, outside)


async def ask(served: InProcess, datatype: str, value: float, form: str) -> Any:
    if form == "matrix":
        tensor = {"name": "x", "datatype": datatype, "shape": [1, 2], "data": [50.0, value]}
        return await served.client.post(INFER, json={"inputs": [tensor]})
    inputs = [column("age", datatype, [50.0]), column("weight", datatype, [value])]
    if form == "json":
        return await served.client.post(INFER, json={"inputs": inputs})
    data = [packed(each.pop("data")[0], datatype) for each in inputs]
    for tensor, chunk in zip(inputs, data, strict=True):
        tensor["parameters"] = {"binary_data_size": len(chunk)}
    text = json.dumps({"inputs": inputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    return await served.client.post(INFER, content=text + b"".join(data), headers=headers)
