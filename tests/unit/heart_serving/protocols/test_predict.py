"""`POST /predict` answers what onnxruntime answers to the encoded rows."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heart_serving.protocols.contract import Contract
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, run_directly, tiny_model
from tests.unit.heart_serving.strategies import contracts, good_records


async def test_one_record(served: InProcess) -> None:
    """Under an id of the server's: that of another prediction could not be chosen as one's own."""
    reply = await served.client.post("/predict", json=RECORD, headers={"X-Request-Id": "visit-17"})
    answer = reply.json()
    assert reply.status_code == 200
    assert set(answer) == {"prediction", "label", "probability", "model_version", "request_id"}
    assert answer["label"] == ("disease" if answer["prediction"] else "no disease")
    assert (answer["model_version"], answer["request_id"]) == ("7", reply.headers["x-request-id"])
    assert len(answer["request_id"]) == 24


async def test_a_list_is_answered_in_order_under_one_id(served: InProcess) -> None:
    records = [RECORD | {"age": age} for age in (20, 90)]
    answer = (await served.client.post("/predict", json=records)).json()
    alone = [(await served.client.post("/predict", json=record)).json()["probability"] for record in records]
    assert [row["probability"] for row in answer["predictions"]] == pytest.approx(alone, abs=1e-6)
    assert set(answer) == {"predictions", "model_version", "request_id"}
    assert len(answer["request_id"]) == 24


async def test_a_missing_optional_value_reaches_the_model_as_missing(served: InProcess) -> None:
    absent = {key: value for key, value in RECORD.items() if key != "vessels"}
    answers = [(await served.client.post("/predict", json=r)).json() for r in (absent, absent | {"vessels": None})]
    assert answers[0]["probability"] == answers[1]["probability"]
    assert answers[0]["probability"] != (await served.client.post("/predict", json=RECORD)).json()["probability"]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
async def test_the_threshold_of_the_version_decides(tmp_path: Path, threshold: float) -> None:
    served = in_process(tiny_model(threshold=threshold, classes=("healthy", "ill")), tmp_path)
    answer = (await served.client.post("/predict", json=RECORD)).json()
    assert answer["prediction"] == answer["label"] == ("ill" if threshold == 0 else "healthy")


async def test_multiclass_gives_all_probabilities_by_label(tmp_path: Path) -> None:
    labels = ("none", "mild", "severe")
    served = in_process(tiny_model(task="multiclass", classes=(0, 1, 2), labels=labels), tmp_path)
    answer = (await served.client.post("/predict", json=RECORD)).json()
    assert tuple(answer["probabilities"]) == labels
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["probability"] == max(answer["probabilities"].values()) == answer["probabilities"][answer["label"]]
    assert labels[answer["prediction"]] == answer["label"]


async def test_regression_gives_a_value_alone(tmp_path: Path) -> None:
    served = in_process(tiny_model(task="regression"), tmp_path)
    answer = (await served.client.post("/predict", json=RECORD)).json()
    assert set(answer) == {"prediction", "model_version", "request_id"}


async def test_a_large_batch_is_answered_off_the_event_loop_and_equal(served: InProcess) -> None:
    records = [RECORD | {"age": index % 100} for index in range(5000)]
    answer = (await served.client.post("/predict", json=records)).json()
    assert len(answer["predictions"]) == 5000
    assert answer["predictions"][17] == answer["predictions"][117]


@settings(deadline=None, max_examples=25)
@given(st.data())
async def test_every_task_and_contract_agrees_with_the_runtime(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    task = data.draw(st.sampled_from(["binary", "multiclass", "regression"]))
    classes = (0, 1, 2) if task == "multiclass" else None
    model = tiny_model(contract, task, classes=classes, seed=data.draw(st.integers(0, 99)))
    records = data.draw(st.lists(good_records(contract), min_size=1, max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        served = in_process(model, Path(folder))
        answers = (await served.client.post("/predict", json=records)).json()["predictions"]
    direct = run_directly(model.data, Contract.of(contract, 100).rows(records)).tolist()
    assert [scores(answer) for answer in answers] == [expected(task, row) for row in direct]


def scores(answer: dict[str, Any]) -> list[float]:
    if "probabilities" in answer:
        return list(answer["probabilities"].values())
    return [answer.get("probability", answer["prediction"])]


def expected(task: str, row: list[float]) -> list[float]:
    return row[1:] if task == "binary" else row
