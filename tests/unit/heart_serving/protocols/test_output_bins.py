"""`prediction_output_total`: where the answers fell, in bins that every version shares."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from heart_serving.protocols.answers import Answers
from heart_serving.protocols.output_bins import FEW_ROWS, OutputCounts
from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import RECORD, tiny_model

BINARY = Answers("binary", (0, 1), ("no", "yes"), 0.5)
REGRESSION = Answers("regression", (), (), 0.5)
PEOPLE = [RECORD | {"age": age} for age in range(0, 121, 3)]
SINGLE_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


async def counted(served: InProcess) -> dict[str, float]:
    text = (await served.management.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["prediction_output"].samples
    assert all(sample.labels["model_name"] == "heart" and sample.labels["model_version"] == "7" for sample in samples)
    return {sample.labels["bin"]: sample.value for sample in samples}


def bin_of(answers: Answers, *outputs: float) -> str:
    """The bin in which a single answer is counted."""
    counts = OutputCounts(answers)
    counts.add(np.array([outputs], np.float32))
    (name,) = [name for name, count in counts.items() if count]
    return name


async def test_probabilities_are_counted_in_twentieths(served: InProcess) -> None:
    answers = (await served.client.post("/predict", json=PEOPLE)).json()["predictions"]
    answers += [(await served.client.post("/predict", json=record)).json() for record in PEOPLE]
    expected = Counter(f"{math.floor(answer['probability'] * 20) / 20:.2f}" for answer in answers)
    found = await counted(served)
    assert list(found) == [f"{position / 20:.2f}" for position in range(20)]
    assert {name: count for name, count in found.items() if count} == expected
    assert len(expected) > 1


async def test_classes_are_counted_by_label_on_every_protocol(tmp_path: Path) -> None:
    labels = ("none", "mild", "severe")
    served = in_process(tiny_model(task="multiclass", classes=(0, 1, 2), labels=labels), tmp_path)
    answer = (await served.client.post("/predict", json=RECORD)).json()
    data = {name: {"name": name, "shape": [3], "data": [value] * 3} for name, value in RECORD.items()}
    types = {"age": "FP32", "sex": "INT64", "cp": "BYTES", "vessels": "INT64", "exang": "BOOL"}
    tensors = {"inputs": [data[name] | {"datatype": types[name]} for name in RECORD]}
    assert (await served.client.post("/v2/models/heart/infer", json=tensors)).status_code == 200
    assert await counted(served) == {label: 4.0 if label == answer["label"] else 0.0 for label in labels}


async def test_values_are_counted_on_a_signed_logarithmic_scale(tmp_path: Path) -> None:
    served = in_process(tiny_model(task="regression"), tmp_path)
    answers = (await served.client.post("/predict", json=PEOPLE)).json()["predictions"]
    expected = Counter(eighth_of_a_decade(answer["prediction"]) for answer in answers)
    assert await counted(served) == expected
    assert len(expected) > 1


def eighth_of_a_decade(value: float) -> str:
    edge = 10 ** (math.floor(8 * math.log10(abs(value))) / 8)
    return f"{math.copysign(edge, value):.3g}"


@pytest.mark.parametrize("body", [{"age": 54}, {**RECORD, "age": 500}, "no record", [RECORD, {}]])
async def test_rejected_records_are_not_counted(served: InProcess, body: Any) -> None:
    assert (await served.client.post("/predict", json=body)).status_code == 422
    assert set((await counted(served)).values()) == {0}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *[(0.0, "0"), (1e-12, "0"), (-1e-12, "0"), (1, "1"), (-1, "-1"), (10, "10"), (12.5, "10"), (250, "237")],
        *[(-3000, "-2.37e+03"), (1e30, "1e+12"), (-1e30, "-1e+12")],
    ],
)
def test_the_edge_next_to_zero_names_a_bin(value: float, name: str) -> None:
    assert bin_of(REGRESSION, value) == name


@pytest.mark.parametrize(
    ("probability", "name"), [(0, "0.00"), (0.05, "0.05"), (0.5, "0.50"), (0.97, "0.95"), (1, "0.95")]
)
def test_a_probability_belongs_to_the_bin_whose_edge_it_reaches(probability: float, name: str) -> None:
    assert bin_of(BINARY, 1 - probability, probability) == name


@given(st.lists(SINGLE_FLOATS, min_size=FEW_ROWS + 1, max_size=FEW_ROWS + 40))
def test_many_rows_at_once_count_like_each_alone(values: list[float]) -> None:
    rows = np.array(values, np.float32).reshape(-1, 1)
    together, alone = OutputCounts(REGRESSION), OutputCounts(REGRESSION)
    together.add(rows)
    for row in rows:
        alone.add(row.reshape(1, 1))
    assert dict(together.items()) == dict(alone.items())
    assert sum(dict(together.items()).values()) == len(values)
