"""Requests and answers as bytes: a study over a wire ends in the same model, and nothing unexpected is read."""

import json

import numpy as np
import pytest

from heart_trainer.sums.additive import StatisticRejected, total
from heart_trainer.sums.driver import Trained, start, step
from heart_trainer.sums.requests import decode, encode
from heart_trainer.sums.rows import Rows
from heart_trainer.sums.study import Study
from heart_trainer.sums.wire import from_bytes, to_bytes
from tests.support.trainer.pooled import cohort, holders, numbers, run, study


def over_the_wire(what: Study, sites: list[Rows]) -> Trained:
    following: object = start(what)
    while not isinstance(following, Trained):
        state, request = following  # type: ignore[misc]
        sent = encode(request)
        received = [decode(sent) for _ in sites]
        answers = [to_bytes(one.collect(rows)) for one, rows in zip(received, sites, strict=True)]
        schema = request.schema()
        assert received[0].schema() == schema
        following = step(state, total(schema, (from_bytes(schema, answer) for answer in answers)))
    return following


@pytest.mark.parametrize(
    ("what", "rows"),
    [
        (study(penalties=(10.0, 1.0), methods=("none", "sigmoid", "isotonic")), cohort(1200, 1)),
        (study(penalties=(1.0, 100.0), regression=True, scoring="rmse"), numbers(600, 2)),
    ],
    ids=["classes", "numbers"],
)
def test_a_study_over_a_wire_is_the_same_to_the_last_bit(what: Study, rows: Rows) -> None:
    near, far = run(what, holders(rows, 2)), over_the_wire(what, holders(rows, 2))
    assert np.array_equal(near.final.model.coefficients, far.final.model.coefficients)
    assert to_bytes(near.tables) == to_bytes(far.tables)
    assert near.measurement() == far.measurement()


VALID = json.loads(encode(start(study())[1]))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "JSONDecodeError"),
        (b"[]", "TypeError"),
        (b"\x80\x04K\x01.", "UnicodeDecodeError"),
        (json.dumps({**VALID, "kind": "os.system"}).encode(), "KeyError"),
        (json.dumps({**VALID, "request": {}}).encode(), "features: Field required"),
        (json.dumps({**VALID, "request": {"features": [{"name": "age", "type": "code"}]}}).encode(), "type"),
    ],
)
def test_a_message_that_is_no_request_is_rejected(message: bytes, reason: str) -> None:
    with pytest.raises(StatisticRejected, match=reason):
        decode(message)


def test_coefficients_that_are_no_numbers_are_rejected() -> None:
    what, rows = study(penalties=(10.0,)), cohort(600, 3)
    following: object = start(what)
    for _ in range(2):
        state, request = following  # type: ignore[misc]
        following = step(state, request.collect(rows))
    message = json.loads(encode(following[1]))  # type: ignore[index]
    assert message["kind"] == "NewtonRequest"
    message["request"]["coefficients"][0][0][0] = float("nan")
    with pytest.raises(StatisticRejected, match="expected finite numbers"):
        decode(json.dumps(message).encode())
