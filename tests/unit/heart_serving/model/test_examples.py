"""Records that a client can send as they are, made from the reference rows."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from heart_api.contract import Feature
from heart_api.package import ReferenceRows, ServingPackage
from heart_serving.model.examples import example_record, example_records
from tests.support.serving.app import in_process
from tests.support.serving.tiny_model import HEART, tiny_model


def package(inputs: Sequence[Sequence[float | None]], *features: Feature) -> ServingPackage:
    rows = ReferenceRows(inputs=tuple(map(tuple, inputs)), outputs=((0.5,),) * len(inputs))
    return tiny_model(features or HEART).package.model_copy(update={"reference": rows})


def test_a_version_that_gives_no_example_has_one_of_the_middle_of_its_reference_rows() -> None:
    """A cholesterol of 525 is in the middle of its bounds, and nobody has it."""
    rows = [[40, 0, 0, None, 0], [50, 1, 2, 1, 1], [60, 1, 2, 3, 1], [90, 1, 1, 3, 1]]
    assert example_record(package(rows)) == {"age": 50, "sex": 1, "cp": "none", "vessels": 3, "exang": True}


def test_each_kind_of_value_is_as_a_client_writes_it() -> None:
    [record] = example_records(package([[54.5, 1, 2, 3, 1]]))
    assert record == {"age": 54.5, "sex": 1, "cp": "none", "vessels": 3, "exang": True}
    assert type(record["vessels"]) is int


def test_a_value_that_may_be_missing_stays_so_and_a_required_one_is_another_rows() -> None:
    records = example_records(package([[54, 1, 0, None, 0], [None, None, None, 1, None]]))
    assert records[0]["vessels"] is None
    assert records[1] == {"age": 54, "sex": 1, "cp": "typical", "vessels": 1, "exang": False}


@pytest.mark.parametrize(("value", "expected"), [(0.10000000149, 0.3), (0.30000001192, 0.3), (0.15, 0.3)])
def test_rounding_to_float32_breaks_no_bound(value: float, expected: float) -> None:
    feature = Feature(name="x", type="number", minimum=0.1, maximum=0.3)
    [record] = example_records(package([[value]], feature))
    assert feature.minimum is not None
    assert feature.minimum <= record["x"] <= expected


async def test_the_server_answers_every_example_that_it_publishes(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path)
    examples: list[dict[str, Any]] = (await served.client.get("/model")).json()["examples"]
    assert len(examples) == 8
    reply = await served.client.post(
        "/predict", content=json.dumps(examples), headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 200, reply.text
