"""From a file and a HeartModel to the answer of `/predict`: a record of one class gets that class's own name."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.trainer.served import QUICK_REGRESSION, Trained, trained

ROWS = 120
FEATURES = "[{name: age, type: number}, {name: weight, type: number}]"
LOW, HIGH = {"age": 30, "weight": 60}, {"age": 80, "weight": 100}


def lines(low: str, high: str) -> bytes:
    """A CSV in which the old and heavy are `high`; one in ten is not."""
    rng = np.random.default_rng(0)
    age, weight = rng.integers(25, 90, ROWS), rng.integers(50, 110, ROWS)
    is_high = (age + weight > 140) ^ (rng.random(ROWS) < 0.1)
    cells = [f"{a},{w},{high if each else low}" for a, w, each in zip(age, weight, is_high, strict=True)]
    return "\n".join(["age,weight,ill", *cells, ""]).encode()


async def ask(found: Trained, folder: Path, fast_path: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answers to a record of either class."""
    client = found.client(folder, fast_path=fast_path)
    answers = (await client.post("/predict", json=[LOW, HIGH])).raise_for_status().json()["predictions"]
    return answers[0], answers[1]


TARGETS = [
    # cells of the two classes, the target, what a record of either class is called, and the positive class
    ("not cancer", "cancer", "{name: ill, labels: [not cancer, cancer]}", "cancer"),
    ("not cancer", "cancer", "{name: ill, labels: [cancer, not cancer]}", "not cancer"),
    ("not cancer", "cancer", "{name: ill}", "not cancer"),
    ("not cancer", "cancer", "{name: ill, positive: cancer}", "cancer"),
    ("0", "1", "{name: ill, labels: [well, ill]}", "ill"),
    ("1", "0", "{name: ill, labels: [ill, well]}", "well"),
    ("0", "1", "{name: ill, labels: {1: ill, 0: well}}", "ill"),
    ("0", "1", "{name: ill, labels: {0: well, 1: ill}, positive: 0}", "well"),
    ("1", "0", "{name: ill, positive: 0}", "0"),
    ("1", "2", "{name: ill, positive: 1, labels: [well, ill]}", "well"),
    ("1.0", "2.0", "{name: ill, labels: {2: ill, 1: well}}", "ill"),
    ("-1", "1", "{name: ill, labels: {-1: well, 1: ill}}", "ill"),
    ("2", "10", "{name: ill, labels: [two, ten]}", "ten"),
    ("false", "true", "{name: ill, labels: {false: well, true: ill}}", "ill"),
    ("True", "False", "{name: ill, positive: false}", "False"),
    ("no", "yes", '{name: ill, positive: "no"}', "no"),
    ("N", "Y", '{name: ill, labels: {"Y": ill, "N": well}}', "ill"),
    ("b", "a", "{name: ill, labels: {a: alpha, b: beta}, positive: alpha}", "alpha"),
    ("malign ", " benign", "{name: ill, labels: [malign, benign]}", "benign"),
    ("übel", "wohl", "{name: ill, positive: übel}", "übel"),
    ("0", "1", "{name: ill, positiveAbove: 0, labels: [well, ill]}", "ill"),
    ("0", "3", "{name: ill, positiveAbove: 1, labels: {0: well, 1: ill}}", "ill"),
]


def name_of(cell: str, target: str) -> str:
    """What the product should call the class of a cell, worked out by hand for the targets above."""
    names = {
        "labels: [well, ill]": {"0": "well", "1": "well" if "positive: 1," in target else "ill", "2": "ill"},
        "labels: [ill, well]": {"0": "ill", "1": "well"},
        "labels: {1: ill, 0: well}": {"0": "well", "1": "ill"},
        "labels: {0: well, 1: ill}": {"0": "well", "1": "ill", "3": "ill"},
        "labels: {2: ill, 1: well}": {"1.0": "well", "2.0": "ill"},
        "labels: {-1: well, 1: ill}": {"-1": "well", "1": "ill"},
        "labels: [two, ten]": {"2": "two", "10": "ten"},
        "labels: {false: well, true: ill}": {"false": "well", "true": "ill"},
        'labels: {"Y": ill, "N": well}': {"Y": "ill", "N": "well"},
        "labels: {a: alpha, b: beta}": {"a": "alpha", "b": "beta"},
    }
    return next((found[cell] for text, found in names.items() if text in target), cell.strip())


@pytest.mark.parametrize(("low", "high", "target", "positive"), TARGETS)
async def test_a_record_gets_the_name_of_its_own_class(
    tmp_path: Path, low: str, high: str, target: str, positive: str
) -> None:
    found = trained(tmp_path, lines(low, high), target, FEATURES)
    answers = await ask(found, tmp_path, fast_path=False)
    quick = await ask(found, tmp_path, fast_path=True)
    for answer, cell in zip((*answers, *quick), (low, high, low, high), strict=True):
        assert answer["label"] == name_of(cell, target)
        assert (answer["probability"] > 0.5) == (answer["label"] == positive), "of the positive class, always"


async def test_three_classes_in_the_order_of_a_list(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    age = rng.integers(20, 95, 300)
    names = np.array(["young", "middle", "old"])[np.digitize(age, [45, 70])]
    data = "\n".join(["age,ill", *(f"{a},{name}" for a, name in zip(age, names, strict=True))]).encode()
    target = "{name: ill, labels: [young, middle, old]}"
    found = trained(tmp_path, data, target, "[{name: age, type: number}]")
    body = [{"age": 25}, {"age": 57}, {"age": 90}]
    answers = (await found.client(tmp_path).post("/predict", json=body)).json()["predictions"]
    assert [answer["label"] for answer in answers] == ["young", "middle", "old"]
    assert list(answers[0]["probabilities"]) == ["young", "middle", "old"]


@pytest.mark.parametrize("kind", ["bool", "Int64", "category", "float32"])
async def test_a_target_of_parquet_keeps_its_classes(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    age = rng.integers(25, 90, ROWS).astype(np.float64)
    frame = pd.DataFrame({"age": age, "weight": 70.0, "ill": pd.Series((age > 55).astype(int)).astype(kind)})
    file = tmp_path / "rows.parquet"
    frame.to_parquet(file)
    labels = "{false: well, true: ill}" if kind == "bool" else "{1: ill, 0: well}"
    found = trained(
        tmp_path, file.read_bytes(), f"{{name: ill, labels: {labels}}}", FEATURES, dataset="format: parquet"
    )
    low, high = await ask(found, tmp_path, fast_path=False)
    assert (low["label"], high["label"]) == ("well", "ill")


SCALES = [
    # a regression's target: its name, mean and standard deviation, and whether float32 answers tell its values apart
    ("a year", 1990.0, 12.0, True),
    ("kelvin", 310.15, 0.6, True),
    ("blood pH", 7.4, 0.05, True),
    ("wine density", 0.9967, 0.0019, True),
    ("house price in cents", 2.1e7, 9e6, True),
    ("Unix time within years", 1.7e9, 6e7, True),
    ("Unix time within an hour", 1.7e9, 900.0, False),
    ("Unix time in milliseconds", 1.7e12, 4e6, False),
    ("Julian day", 2460310.5, 3.0, False),
    ("pressure in pascal", 101325.0, 4.0, False),
]


EVERY_FAMILY = ("a year", "Unix time within an hour")
CASES = [
    pytest.param(algorithm, *numbers, id=f"{name}-{algorithm}")
    for name, *numbers in SCALES
    for algorithm in ("ridge", "random-forest", "gradient-boosting", "stacking")
    if algorithm == "ridge" or name in EVERY_FAMILY
]


@pytest.mark.parametrize(("algorithm", "mean", "spread", "single"), CASES)
async def test_a_target_far_from_zero_is_answered_as_exactly_as_one_near_it(
    tmp_path: Path, algorithm: str, mean: float, spread: float, single: bool
) -> None:
    rng = np.random.default_rng(0)
    age, weight = rng.integers(25, 90, ROWS), rng.integers(50, 110, ROWS)
    y = mean + spread * ((age - 57) / 20 + (weight - 80) / 40 + rng.normal(0, 0.2, ROWS))
    rows = [f"{a},{w},{value!r}" for a, w, value in zip(age.tolist(), weight.tolist(), y.tolist(), strict=True)]
    training = QUICK_REGRESSION.replace("ridge", algorithm)
    found = trained(
        tmp_path, "\n".join(["age,weight,value", *rows]).encode(), "{name: value}", FEATURES, training=training
    )
    assert found.fitted.parity.holds
    client = found.client(tmp_path)
    body = [{"age": int(a), "weight": int(w)} for a, w in zip(age, weight, strict=True)]
    answers = (await client.post("/predict", json=body)).raise_for_status().json()["predictions"]
    expected = found.fitted.pipeline.predict(found.table.x).ravel()
    step = 0.0 if not single else float(np.spacing(np.float32(mean)))
    apart = np.abs([answer["prediction"] for answer in answers] - expected)
    assert apart.max() <= 2e-5 * spread + 4 * step
    assert step < spread / 1000
    await check_every_protocol(client, body[0], expected[0], 2e-5 * spread + 4 * step, "FP32" if single else "FP64")


async def check_every_protocol(client: Any, record: dict[str, Any], value: float, within: float, datatype: str) -> None:
    metadata = (await client.get("/v2/models/heart")).json()
    assert metadata["outputs"][0]["datatype"] == datatype
    inputs = [{"name": name, "datatype": "FP64", "shape": [1], "data": [float(cell)]} for name, cell in record.items()]
    (output,) = (await client.post("/v2/models/heart/infer", json={"inputs": inputs})).json()["outputs"]
    assert output["datatype"] == datatype
    parameters = {"binary_data_output": True}
    raw = await client.post("/v2/models/heart/infer", json={"inputs": inputs, "parameters": parameters})
    header = int(raw.headers["Inference-Header-Content-Length"])
    (unpacked,) = struct.unpack("<f" if datatype == "FP32" else "<d", raw.content[header:])
    rows = {"dataframe_records": [record]}
    scored = (await client.post("/invocations", json=rows)).json()["predictions"][0]
    explained = (await client.post("/explain", json=record)).raise_for_status().json()
    total = explained["base_value"] + sum(explained["contributions"].values())
    for found in (output["data"][0], unpacked, scored, explained["prediction"], explained["output"], total):
        assert abs(found - value) <= within


async def test_what_not_even_float64_tells_apart_is_refused_with_advice(tmp_path: Path) -> None:
    rows = [f"{n},{n % 40},{1.7e18 + 256 * (n % 50):.0f}" for n in range(ROWS)]
    with pytest.raises(Exception, match="Subtract a constant from the column"):
        trained(
            tmp_path,
            "\n".join(["age,weight,value", *rows]).encode(),
            "{name: value}",
            FEATURES,
            training=QUICK_REGRESSION,
        )
