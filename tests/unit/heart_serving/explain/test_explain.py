"""`POST /explain` as a client sees it."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from prometheus_client.parser import text_string_to_metric_families

from heart_api.contract import Target
from heart_api.explanation import Explanation
from heart_api.package import ServingPackage
from heart_model.errors import ModelRejected
from heart_serving.errors import SettingsError
from heart_serving.explain.answering import Explain
from heart_serving.explain.worker import MAX_WAITING
from heart_serving.settings import read_settings
from heart_trainer.fit.onnx_export import attach_package, output_scale, to_bytes
from heart_trainer.package.explanation import build_explanation
from heart_trainer.package.reference_rows import reference_rows
from tests.support.serving.app import InProcess, environment, in_process, running
from tests.support.serving.tiny_model import RECORD, TinyModel, tiny_model
from tests.support.trainer.fitted_models import fitted, problem
from tests.support.trainer.requests import MIXED
from tests.unit.heart_serving.strategies import good_records

RECORDS: list[dict[str, Any]] = [{"a": 41.5, "b": 0.02, "c": True, "d": 7, "e": "low"}, {"b": -0.1, "e": "high"}]
LABELS = {"binary": ("healthy", "ill"), "multiclass": ("none", "mild", "severe"), "regression": None}


def trained(algorithm: str, task: str, **package: Any) -> TinyModel:
    """The file that a training Job would register."""
    rows = problem(task)
    model = fitted(algorithm, rows)
    onnx = to_bytes(model, len(MIXED))
    fields: dict[str, Any] = {
        "registry_name": "clinic.model",
        "task": task,
        "algorithm": algorithm,
        "features": MIXED,
        "target": Target(name="target", labels=LABELS[task]),
        "classes": rows.classes,
        "reference": reference_rows(onnx, rows),
        "explanation": build_explanation(model, rows, MIXED),
    }
    finished = ServingPackage(**fields | package)
    return TinyModel(attach_package(onnx, finished), finished)


@pytest.fixture(scope="module")
def linear() -> TinyModel:
    return trained("logistic-regression", "binary")


@pytest.fixture
async def served(linear: TinyModel, tmp_path: Path) -> AsyncIterator[InProcess]:
    served = in_process(linear, tmp_path)
    async with served.client:
        yield served


async def explain(served: InProcess, body: Any) -> Any:
    reply = await served.client.post("/explain", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_one_record(served: InProcess) -> None:
    reply = await served.client.post("/explain", json=RECORDS[0])
    answer = reply.json()
    predicted = (await served.client.post("/predict", json=RECORDS[0])).json()
    assert {name: answer[name] for name in predicted if name != "request_id"} == {
        name: value for name, value in predicted.items() if name != "request_id"
    }
    assert (answer["request_id"], answer["method"]) == (reply.headers["x-request-id"], "linear")
    assert answer["unit"] == "log-odds"
    assert answer["explained"] == "ill"
    assert list(answer["contributions"]) == ["a", "b", "c", "d", "e"]
    assert answer["output"] == pytest.approx(answer["base_value"] + sum(answer["contributions"].values()), abs=1e-9)
    assert 1 / (1 + math.exp(-answer["output"])) == pytest.approx(answer["probability"], abs=1e-5)


async def test_a_list_is_explained_in_order(served: InProcess) -> None:
    answer = await explain(served, RECORDS)
    alone = [await explain(served, record) for record in RECORDS]
    assert set(answer) == {"explanations", "method", "unit", "model_version", "request_id"}
    for found, expected in zip(answer["explanations"], alone, strict=True):
        assert found["contributions"] == pytest.approx(expected["contributions"], abs=1e-9)
        assert found["probability"] == pytest.approx(expected["probability"], abs=1e-6)
    assert answer["explanations"][0]["contributions"] != answer["explanations"][1]["contributions"]


@pytest.mark.parametrize(
    ("algorithm", "task", "unit"),
    [
        ("random-forest", "multiclass", "probability"),
        ("gradient-boosting", "multiclass", "logit"),
        ("logistic-regression", "multiclass", "logit"),
        ("stacking", "multiclass", "probability"),
    ],
)
async def test_multiclass_argues_for_the_predicted_class_and_for_each(
    tmp_path: Path, algorithm: str, task: str, unit: str
) -> None:
    answer = await explain(in_process(trained(algorithm, task), tmp_path), RECORDS[0])
    assert tuple(answer["classes"]) == LABELS["multiclass"]
    assert answer["explained"] == answer["label"]
    for name in ("output", "base_value", "contributions"):
        assert answer[name] == answer["classes"][answer["label"]][name]
    outputs = {label: reasons["output"] for label, reasons in answer["classes"].items()}
    for reasons in answer["classes"].values():
        total = reasons["base_value"] + sum(reasons["contributions"].values())
        assert total == pytest.approx(reasons["output"], abs=1e-9)
    if unit == "logit":
        whole = sum(map(math.exp, outputs.values()))
        outputs = {label: math.exp(output) / whole for label, output in outputs.items()}
    assert answer["unit"] == unit
    assert outputs == pytest.approx(answer["probabilities"], abs=1e-5)


async def test_regression_is_explained_in_the_targets_unit(tmp_path: Path) -> None:
    answer = await explain(in_process(trained("gradient-boosting", "regression"), tmp_path), RECORDS[0])
    assert answer["unit"] == "target"
    assert "explained" not in answer
    total = answer["base_value"] + sum(answer["contributions"].values())
    assert total == pytest.approx(answer["prediction"], abs=1e-5 * output_scale(problem("regression")))


@settings(deadline=None, max_examples=50)
@given(record=good_records(MIXED))
async def test_every_valid_record_adds_up(linear: TinyModel, tmp_path_factory: Any, record: dict[str, Any]) -> None:
    served = in_process(linear, tmp_path_factory.mktemp("model"))
    answer = await explain(served, record)
    total = answer["base_value"] + sum(answer["contributions"].values())
    assert total == pytest.approx(answer["output"], rel=1e-9, abs=1e-9)
    assert 1 / (1 + math.exp(-max(min(total, 700), -700))) == pytest.approx(answer["probability"], abs=1e-5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"b": 1, "e": "neither"}, 422),
        ({"b": 1}, 422),
        ({"b": 1, "e": "low", "more": 1}, 422),
        ([], 422),
        ([RECORDS[1]] * 101, 413),
        ("records", 422),
    ],
)
async def test_rejected_as_predictions_are(served: InProcess, body: Any, code: int) -> None:
    reply = await served.client.post("/explain", json=body)
    assert reply.status_code == code
    if code == 422:
        assert reply.json() == (await served.client.post("/predict", json=body)).json()
        assert "neither" not in reply.text
    else:
        assert "at most 100 records" in reply.json()["detail"]
    assert (await served.client.get("/explain")).status_code == 405
    assert (
        await served.client.post("/explain", content=b"{}", headers={"Content-Type": "text/csv"})
    ).status_code == 415


async def test_a_stack_explains_fewer_records_at_once(tmp_path: Path) -> None:
    served = in_process(trained("stacking", "binary"), tmp_path)
    reply = await served.client.post("/explain", json=[RECORDS[1]] * 21)
    assert (reply.status_code, "at most 20 records" in reply.json()["detail"]) == (413, True)


async def test_switched_off_it_is_not_there(linear: TinyModel, tmp_path: Path) -> None:
    served = in_process(linear, tmp_path, explanations=False)
    reply = await served.client.post("/explain", json=RECORDS[0])
    assert reply.status_code == 404
    assert "spec.serving.explanations" in reply.json()["detail"]
    assert "/explain" not in (await served.client.get("/openapi.json")).json()["paths"]
    assert (await served.client.post("/predict", json=RECORDS[0])).status_code == 200


async def test_a_version_without_the_data_says_so(tmp_path: Path) -> None:
    served = in_process(tiny_model(explanation=None), tmp_path)
    reply = await served.client.post("/explain", json=RECORD)
    assert (reply.status_code, "train it again" in reply.json()["detail"]) == (404, True)


def test_an_explanation_of_another_model_is_rejected(linear: TinyModel, tmp_path: Path) -> None:
    explanation = linear.package.explanation
    assert explanation
    other = explanation.model_copy(update={"intercepts": (explanation.intercepts[0] + 0.01,)})
    short = explanation.model_copy(update={"coefficients": (explanation.coefficients[0][:-1],)})
    trees = explanation.model_copy(update={"method": "tree"})
    narrow = explanation.model_copy(update={"background": ((1.0,),)})
    cases = (
        (other, "differs from the model's output"),
        (short, "do not fit"),
        (trees, "tree ensemble"),
        (narrow, "5 features"),
    )
    for wrong, why in cases:
        model = with_explanation(linear, wrong)
        with pytest.raises(ModelRejected, match=why):
            in_process(model, tmp_path)
        in_process(model, tmp_path, explanations=False)  # the predictions themselves are good


def with_explanation(model: TinyModel, explanation: Explanation) -> TinyModel:
    package = model.package.model_copy(update={"explanation": explanation})
    return TinyModel(attach_package(model.data, package), package)


def test_the_switch_comes_from_the_environment(tmp_path: Path) -> None:
    chosen = {
        value: read_settings(environment(tmp_path, "0" * 64, 1, HEARTOPS_EXPLANATIONS=value)).explanations
        for value in ("", "true", "false", "True")
    }
    assert chosen == {"": True, "true": True, "false": False, "True": True}
    with pytest.raises(SettingsError, match="HEARTOPS_EXPLANATIONS must be true or false"):
        read_settings(environment(tmp_path, "0" * 64, 1, HEARTOPS_EXPLANATIONS="no"))


async def test_openapi_documents_it_with_examples_that_work(served: InProcess) -> None:
    document = (await served.client.get("/openapi.json")).json()
    operation = document["paths"]["/explain"]["post"]
    for example in operation["requestBody"]["content"]["application/json"]["examples"].values():
        assert (await served.client.post("/explain", json=example["value"])).status_code == 200
    assert "log-odds" in operation["description"]
    assert document["components"]["schemas"]["Explanation"]["allOf"][1]["properties"]["contributions"]["required"]


async def test_it_has_a_metric_of_its_own_and_is_no_prediction(served: InProcess) -> None:
    await explain(served, RECORDS)
    await explain(served, RECORDS[0])
    text = (await served.management.get("/metrics")).text
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "le" not in sample.labels and "bin" not in sample.labels
    }
    assert samples["request_explain_seconds_count"] == 2
    assert samples["predictions_total"] == samples["prediction_latency_seconds_count"] == 0
    assert samples["http_requests_total"] == 2
    assert '"records":2' in served.logged().replace(" ", "")
    assert "41.5" not in served.logged()


async def test_predictions_go_on_while_explanations_work_and_the_line_is_bounded(
    linear: TinyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    answer = Explain.answer

    def held(self: Explain, body: bytes, request_id: str) -> tuple[int, bytes]:
        assert go_on.wait(30)
        return answer(self, body, request_id)

    monkeypatch.setattr(Explain, "answer", held)
    served = in_process(linear, tmp_path)
    try:
        requests = [
            asyncio.create_task(served.client.post("/explain", json=RECORDS[0])) for _ in range(MAX_WAITING + 1)
        ]
        done, held_back = await asyncio.wait(requests, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        assert [(task.result().status_code, task.result().headers["retry-after"]) for task in done] == [(503, "1")]
        assert (await served.client.post("/predict", json=RECORDS[0])).status_code == 200
    finally:
        go_on.set()
    assert [(await task).status_code for task in held_back] == [200] * MAX_WAITING
    assert (await served.client.post("/explain", json=RECORDS[0])).status_code == 200


def test_the_real_process_explains_a_forest(tmp_path: Path) -> None:
    with running(trained("random-forest", "binary"), tmp_path) as server:
        answer = httpx.post(f"{server.url}/explain", json=RECORDS, timeout=30).json()
    assert answer["method"] == "tree"
    for found in answer["explanations"]:
        total = found["base_value"] + sum(found["contributions"].values())
        assert total == pytest.approx(found["probability"], abs=1e-5)
