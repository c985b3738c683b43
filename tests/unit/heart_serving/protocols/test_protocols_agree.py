"""Whatever the contract, the rows and the family of the model: every protocol says what the pipeline says."""

import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from heart_api.contract import Feature
from heart_api.evaluation import Task
from heart_api.training import Algorithm
from heart_model.errors import ModelRejected
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.oip_tensors import datatype_of
from heart_trainer.errors import ExportFailed
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import TinyModel
from tests.support.trainer.trained_model import CLASSES, OFFERED, TrainedModel, trained_model
from tests.unit.heart_serving.strategies import contracts, good_records

SHORT = 3
EXAMPLES = 100 if os.environ.get("HEARTOPS_SOAK") else SHORT
TOLERANCE = 1e-5
INFER = "/v2/models/heart/infer"
Records = list[dict[str, Any]]


class Answer(NamedTuple):
    """One row's, in the terms of every protocol."""

    prediction: Any
    label: str | None
    scores: list[float]
    """Probability of the positive class, of every class, or the value."""


SOME = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == SHORT,
    phases=(Phase.generate,),  # every step of shrinking would train a model
    database=None,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def trainable_contracts(draw: st.DrawFn) -> tuple[Feature, ...]:
    """With a number at least, so that there are different rows to learn from."""
    return (Feature(name="always_a_number", type="number", required=draw(st.booleans())), *draw(contracts()))


@pytest.mark.parametrize(("task", "algorithm"), OFFERED)
@SOME
@given(data=st.data())
async def test_protocols_and_pipeline_agree(data: st.DataObject, task: Task, algorithm: Algorithm) -> None:
    contract = data.draw(trainable_contracts())
    model = train(contract, task, algorithm)
    records: Records = data.draw(st.lists(good_records(contract), min_size=1, max_size=20))
    expected = pipeline_answers(model, contract, task, records)
    with tempfile.TemporaryDirectory() as folder:
        served = serve(model.served, Path(folder))
        answers = {name: await ask(served, contract, task, records) for name, ask in PROTOCOLS.items()}
        single = read_object((await served.client.post("/predict", json=records[0])).json(), task)
    same_scores([single], answers["predict"][:1])
    same_scores(answers["predict"], expected)
    for name, answer in answers.items():
        assert answer == answers["predict"], name
    for answer, pipelines in zip(answers["predict"], expected, strict=True):
        if certain(pipelines.scores, task):
            assert answer[:2] == pipelines[:2]


def train(contract: tuple[Feature, ...], task: Task, algorithm: Algorithm) -> TrainedModel:
    try:
        return trained_model(contract, task, algorithm)
    except ExportFailed:
        assume(False)
        raise


def serve(model: TinyModel, folder: Path) -> InProcess:
    try:
        return in_process(model, folder)
    except ModelRejected as rejection:
        assume("the same answer" not in str(rejection))  # nothing to learn from a contract of constants
        raise


def pipeline_answers(model: TrainedModel, contract: tuple[Feature, ...], task: Task, records: Records) -> list[Answer]:
    """scikit-learn's own, through the documented encoding of the contract."""
    rows = model.scores(Contract.of(contract, len(records)).rows(records)).tolist()
    if task == "regression":
        return [Answer(row[0], None, row) for row in rows]
    chosen = [CLASSES[task][int(np.argmax(row))] for row in rows]
    return [Answer(c, str(c), row[1:] if task == "binary" else row) for c, row in zip(chosen, rows, strict=True)]


def same_scores(one: list[Answer], other: list[Answer]) -> None:
    np.testing.assert_allclose([a.scores for a in one], [a.scores for a in other], rtol=TOLERANCE, atol=TOLERANCE)


def certain(scores: list[float], task: Task) -> bool:
    """Whether rounding cannot change the class."""
    if task == "regression":
        return False
    first, second = sorted([*scores, 1 - scores[0]] if task == "binary" else scores)[-1:-3:-1]
    return first - second > 2 * TOLERANCE


async def by_predict(served: InProcess, contract: tuple[Feature, ...], task: Task, records: Records) -> list[Answer]:
    reply = await served.client.post("/predict", json=records)
    return [read_object(item, task) for item in reply.json()["predictions"]]


def read_object(item: dict[str, Any], task: Task) -> Answer:
    if task == "regression":
        return Answer(item["prediction"], None, [item["prediction"]])
    scores = [item["probability"]] if task == "binary" else list(item["probabilities"].values())
    return Answer(item["prediction"], item["label"], scores)


async def by_columns(served: InProcess, contract: tuple[Feature, ...], task: Task, records: Records) -> list[Answer]:
    tensors = [
        {
            "name": feature.name,
            "shape": [len(records)],
            "datatype": kind_of(feature),
            "data": [record.get(feature.name) for record in records],
        }
        for feature in contract
    ]
    return await infer(served, tensors, task)


def kind_of(feature: Feature) -> str:
    """A category of numbers and strings has no datatype of its own: such a column is asked for as a data frame."""
    assume(feature.type != "category" or len({type(value) for value in feature.values or ()}) == 1)
    return "FP64" if feature.type == "number" else datatype_of(feature)


async def by_matrix(served: InProcess, contract: tuple[Feature, ...], task: Task, records: Records) -> list[Answer]:
    """One tensor, where all values can be numbers; else the columns."""
    if any(isinstance(value, str) for feature in contract for value in feature.values or ()):
        return await by_columns(served, contract, task, records)
    rows = [[number(record.get(feature.name)) for feature in contract] for record in records]
    tensor = {"name": "input-0", "shape": [len(rows), len(contract)], "datatype": "FP64", "data": rows}
    return await infer(served, [tensor], task)


def number(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


async def infer(served: InProcess, tensors: list[dict[str, Any]], task: Task) -> list[Answer]:
    reply = await served.client.post(INFER, json={"inputs": tensors})
    outputs = {output["name"]: output["data"] for output in reply.json()["outputs"]}
    if task == "regression":
        return [Answer(value, None, [value]) for value in outputs["prediction"]]
    width = len(CLASSES[task])
    flat = outputs["probabilities"]
    rows = [flat[start : start + width] for start in range(0, len(flat), width)]
    scores = [row[1:] if task == "binary" else row for row in rows]
    return [Answer(*row) for row in zip(outputs["prediction"], outputs["label"], scores, strict=True)]


def by_table(path: str, form: str) -> Callable[..., Awaitable[list[Answer]]]:
    async def ask(served: InProcess, contract: tuple[Feature, ...], task: Task, records: Records) -> list[Answer]:
        names = [feature.name for feature in contract]
        rows = [[record.get(name) for name in names] for record in records]
        parsed = {
            "dataframe_split": {"columns": names, "data": rows},
            "dataframe_records": records,
            "instances": rows,
            "inputs": {name: [row[position] for row in rows] for position, name in enumerate(names)},
        }[form]
        reply = await served.client.post(path, json={form: parsed})
        found = reply.json()["predictions"]
        return [read_object({"prediction": item} if task == "regression" else item, task) for item in found]

    return ask


PROTOCOLS: dict[str, Callable[..., Awaitable[list[Answer]]]] = {
    "predict": by_predict,
    "v2 columns": by_columns,
    "v2 matrix": by_matrix,
    "split": by_table("/invocations", "dataframe_split"),
    "records": by_table("/invocations", "dataframe_records"),
    "instances": by_table("/invocations", "instances"),
    "inputs": by_table("/invocations", "inputs"),
    "v1": by_table("/v1/models/heart:predict", "instances"),
}
