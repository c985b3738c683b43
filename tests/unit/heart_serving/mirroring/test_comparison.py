"""Two versions' answers to the same parsed, in every protocol."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

from heart_serving.mirroring.comparison import Comparison, compare
from heart_serving.protocols.base import Reply
from heart_serving.protocols.contract import Contract
from tests.support.serving.app import in_process
from tests.support.serving.tiny_model import HEART, RECORD, TinyModel, run_directly, tiny_model

PEOPLE = [RECORD | {"age": age} for age in (20, 50, 90)]
ROWS = Contract.of(HEART, 100).rows(PEOPLE)
TYPES = {"age": "FP32", "sex": "INT64", "cp": "BYTES", "vessels": "INT64", "exang": "BOOL"}
TENSORS = [
    {"name": name, "shape": [3], "datatype": kind, "data": [person[name] for person in PEOPLE]}
    for name, kind in TYPES.items()
]
PROTOCOLS: dict[str, tuple[str, Any]] = {
    "records": ("/predict", PEOPLE),
    "tensors": ("/v2/models/heart/infer", {"id": "mine", "inputs": TENSORS}),
    "binary": ("/v2/models/heart/infer", {"inputs": TENSORS, "parameters": {"binary_data_output": True}}),
    "mlflow": ("/invocations", {"dataframe_records": PEOPLE}),
}


async def answer(model: TinyModel, folder: Path, path: str, body: Any) -> Reply:
    served = in_process(model, folder)
    async with served.client:
        reply: httpx.Response = await served.client.post(path, json=body)
    assert reply.status_code == 200
    return Reply(reply.content, reply.headers)


def outputs(model: TinyModel) -> Any:
    return run_directly(model.data, ROWS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
async def test_answers_are_as_far_apart_as_the_models_outputs(tmp_path: Path, task: str, protocol: str) -> None:
    classes = (0, 1, 2) if task == "multiclass" else None
    ours, theirs = (tiny_model(task=task, classes=classes, seed=seed) for seed in (0, 3))
    replies = [await answer(model, tmp_path, *PROTOCOLS[protocol]) for model in (ours, theirs, ours)]
    found = compare(replies[0], replies[1], relative=task == "regression")
    one, other = outputs(ours), outputs(theirs)
    apart = np.abs(one - other)
    if task == "regression":
        apart /= np.maximum(np.abs(one), np.abs(other))
    assert found.difference == pytest.approx(apart.max(), abs=1e-6)
    assert found.difference > 0.05
    assert not found.equal
    assert compare(replies[0], replies[2], relative=task == "regression") == Comparison(equal=True)


def records(*answers: dict[str, Any], **common: Any) -> Reply:
    return Reply(orjson.dumps({"predictions": answers, **common}))


@pytest.mark.parametrize(
    ("theirs", "equal", "difference"),
    [
        ({"prediction": 1, "label": "ill", "probability": 0.6}, True, 0.0),
        ({"label": "ill", "prediction": 1, "probability": 0.64}, True, 0.04),
        ({"prediction": 1, "label": "ill", "probability": 0.66}, False, 0.06),
        ({"prediction": 0, "label": "well", "probability": 0.59}, False, 0.01),
        ({"prediction": 1, "label": "sick", "probability": 0.6}, False, 0.0),
        ({"prediction": 1, "label": "ill", "probability": None}, False, 0.0),
    ],
)
def test_an_answer_is_equal_when_a_person_would_read_the_same(
    theirs: dict[str, Any], equal: bool, difference: float
) -> None:
    ours = records({"prediction": 1, "label": "ill", "probability": 0.6}, model_version="7", request_id="a")
    found = compare(ours, records(theirs, model_version="8", request_id="b"), relative=False)
    assert (found.equal, found.difference) == (equal, pytest.approx(difference))


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        (100.0, 95.0, 0.05),
        (-100.0, -80.0, 0.2),
        (1e-9, -1e-9, 2.0),
        (0.0, 0.0, 0.0),
        (0.0, 3.0, 1.0),
        (1e300, 1e299, 0.9),
    ],
)
def test_values_differ_relative_to_the_larger_one(one: float, other: float, difference: float) -> None:
    found = compare(records({"prediction": one}), records({"prediction": other}), relative=True)
    assert found.difference == pytest.approx(difference)


def test_a_missing_record_is_a_difference() -> None:
    two, one = records({"prediction": 1.0}, {"prediction": 1.0}), records({"prediction": 1.0})
    assert not compare(two, one, relative=True).equal


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"[" * 100_000),
        Reply(b"NaN"),
        Reply(b"[]", {"Inference-Header-Content-Length": "2"}),
        Reply(b'{"outputs":[{}]}', {"Inference-Header-Content-Length": "16"}),
        Reply(b"{}", {"Inference-Header-Content-Length": "many"}),
    ],
)
def test_what_is_no_answer_of_ours_is_rejected(reply: Reply) -> None:
    with pytest.raises(ValueError, match=r"."):
        compare(records({"prediction": 1.0}), reply, relative=True)
