"""The Open Inference Protocol means the same as /predict."""

from pathlib import Path
from typing import Any

import pytest

from heart_api.contract import Feature
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, tiny_model

INFER = "/v2/models/heart/infer"
SECOND = {"age": 70, "sex": 0, "cp": "none", "vessels": 0, "exang": True}
DATATYPES = {"age": "FP32", "sex": "INT64", "cp": "BYTES", "vessels": "INT32", "exang": "BOOL"}
NUMBERS = (
    Feature(name="a", type="number"),
    Feature(name="b", type="category", values=(5, 7)),
    Feature(name="c", type="boolean"),
)


def columns(*records: dict[str, Any], **changes: Any) -> dict[str, Any]:
    shape = changes.pop("shape", [len(records)])
    return {
        "inputs": [
            {"name": name, "shape": shape, "datatype": kind, "data": [record[name] for record in records]}
            for name, kind in DATATYPES.items()
        ]
    } | changes


async def plain(served: InProcess, *records: dict[str, Any]) -> list[dict[str, Any]]:
    predictions: list[dict[str, Any]] = (await served.client.post("/predict", json=list(records))).json()["predictions"]
    return predictions


@pytest.mark.parametrize("path", [INFER, "/v2/models/heart/versions/7/infer"])
@pytest.mark.parametrize("shape", [[2], [2, 1]])
async def test_one_tensor_per_feature(served: InProcess, path: str, shape: list[int]) -> None:
    answer = (await served.client.post(path, json=columns(RECORD, SECOND, shape=shape, id="q1"))).json()
    wanted = await plain(served, RECORD, SECOND)
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("q1", "heart", "7")
    assert outputs["prediction"]["data"] == [row["prediction"] for row in wanted]
    assert (outputs["label"]["datatype"], outputs["label"]["data"]) == ("BYTES", [row["label"] for row in wanted])
    assert outputs["probabilities"]["shape"] == [2, 2]
    assert outputs["probabilities"]["data"][1::2] == [row["probability"] for row in wanted]


@pytest.mark.parametrize("nested", [True, False])
async def test_one_tensor_for_all_features(tmp_path: Path, nested: bool) -> None:
    served = in_process(tiny_model(NUMBERS), tmp_path)
    rows = [[1.5, 5, 0], [2.5, 7, 1]]
    data = rows if nested else [value for row in rows for value in row]
    tensor = {"name": "features", "shape": [2, 3], "datatype": "FP64", "data": data}
    answer = (await served.client.post(INFER, json={"inputs": [tensor], "outputs": [{"name": "prediction"}]})).json()
    wanted = await plain(served, {"a": 1.5, "b": 5, "c": False}, {"a": 2.5, "b": 7, "c": True})
    assert [output["name"] for output in answer["outputs"]] == ["prediction"]
    assert answer["outputs"][0]["data"] == [row["prediction"] for row in wanted]


async def test_null_is_a_missing_value(served: InProcess) -> None:
    without = {key: value for key, value in RECORD.items() if key != "vessels"}
    answer = (await served.client.post(INFER, json=columns(RECORD | {"vessels": None}))).json()
    assert answer["outputs"][2]["data"][1] == (await plain(served, without))[0]["probability"]


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"name": "weight"}, 422, "weight: is not a feature"),
        ({"name": "sex"}, 400, "sex: is given twice"),
        ({"data": [540.0]}, 422, "0.age: must be at most 120 years"),
        ({"data": ["54"]}, 400, "inputs.age.data: every value must be of its datatype FP32"),
        ({"data": [54.0, 55.0]}, 400, "inputs.age.data: must hold as many values"),
        ({"data": [[[54.0]]]}, 400, "inputs.age.data"),
        ({"data": None}, 400, "inputs.age.data: must be a list"),
        ({"datatype": "FP31"}, 400, "inputs.age.datatype: must be one of"),
        ({"shape": [1, 1, 1]}, 400, "inputs.age.shape"),
        ({"shape": [-1]}, 400, "inputs.age.shape"),
        ({"shape": [True]}, 400, "inputs.age.shape"),
        ({"shape": [10**15], "data": []}, 400, "as many values"),
        ({"shape": [2], "data": [54, 54]}, 400, "inputs.sex.shape: must be [2] or [2, 1]"),
    ],
)
async def test_rejections_in_the_protocols_form(
    served: InProcess, change: dict[str, Any], status: int, says: str
) -> None:
    parsed = columns(RECORD)
    parsed["inputs"][0] |= change
    reply = await served.client.post(INFER, json=parsed)
    assert reply.status_code == status
    assert says in reply.json()["error"]


async def test_metadata_and_readiness(served: InProcess) -> None:
    metadata = (await served.client.get("/v2/models/heart/versions/7")).json()
    assert [(item["name"], item["datatype"]) for item in metadata["inputs"]] == [
        ("age", "FP32"),
        ("sex", "INT64"),
        ("cp", "BYTES"),
        ("vessels", "INT64"),
        ("exang", "BOOL"),
    ]
    assert (await served.client.get("/v2/models/heart/ready")).json() == {"name": "heart", "ready": True}
    assert (await served.client.get("/v2/models/heart/versions/8/ready")).status_code == 404
    assert (await served.client.get("/v2")).json()["name"] == "heartops"


async def test_the_list_of_models(served: InProcess) -> None:
    assert (await served.client.get("/v2/models")).json() == {"models": ["heart"]}
    assert "binary_tensor_data" in (await served.client.get("/v2")).json()["extensions"]


async def test_a_server_that_stops_says_so(served: InProcess) -> None:
    served.application.readiness.draining = True
    assert (await served.client.get("/v2/models/heart/ready")).status_code == 503
    assert (await served.client.get("/v2/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("datatype", "good", "bad"),
    [
        ("INT8", [5, -128, 7.0], [128, -129, 1.5, True, "5"]),
        ("INT16", [32767], [32768]),
        ("INT32", [-(2**31)], [2**31]),
        ("INT64", [2**63 - 1], [2**63]),
        ("UINT8", [0, 255], [-1, 256]),
        ("UINT16", [65535], [65536]),
        ("UINT32", [2**32 - 1], [2**32]),
        ("UINT64", [2**64 - 1], [-1]),
        ("FP16", [0.5, -65504], [65505, True]),
        ("FP32", [1, -3.4e38], [3.5e38, "1"]),
        ("FP64", [2.5], [False, "1"]),
    ],
)
async def test_numbers_must_fit_their_datatype(tmp_path: Path, datatype: str, good: list[Any], bad: list[Any]) -> None:
    served = in_process(tiny_model((Feature(name="x", type="number"),)), tmp_path)

    async def ask(value: Any) -> Any:
        tensor = {"name": "x", "shape": [1], "datatype": datatype, "data": [value]}
        return await served.client.post(INFER, json={"inputs": [tensor]})

    for value in good:
        wanted = (await plain(served, {"x": value}))[0]["probability"]
        assert (await ask(value)).json()["outputs"][2]["data"][1] == pytest.approx(wanted, abs=1e-6)
    for value in bad:
        reply = await ask(value)
        assert (reply.status_code, datatype in reply.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 5},
        {"id": "x" * 257},
        {"parameters": [1]},
        {"parameters": {"a": {}}},
        {"outputs": [{"name": "score"}]},
        {"outputs": ["label"]},
        {"outputs": [{"name": "label", "parameters": 1}]},
    ],
)
async def test_what_surrounds_the_tensors_is_checked(served: InProcess, change: dict[str, Any]) -> None:
    assert (await served.client.post(INFER, json=columns(RECORD, parameters={"any": 1}))).status_code == 200
    reply = await served.client.post(INFER, json=columns(RECORD, **change))
    assert reply.status_code == 400
    assert next(iter(change)) in reply.json()["error"] or "request.parameters" in reply.json()["error"]
