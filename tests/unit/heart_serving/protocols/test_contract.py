"""The quick validator, the slow one that explains, and heart_api.contract.Feature say the same."""

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.contract import Feature
from heart_serving.errors import Invalid
from heart_serving.protocols.contract import Contract
from heart_serving.protocols.strict_json import count_keys
from heart_serving.protocols.violations import MAX_VIOLATIONS, explain_record
from tests.support.serving.tiny_model import HEART, RECORD
from tests.unit.heart_serving.strategies import any_records, contracts, good_records


def encoded(feature: Feature, value: Any) -> float:
    """Feature's docstring, word for word."""
    if value is None:
        return math.nan
    if feature.type == "category":
        return float(list(feature.values or ()).index(value))
    return float(value)


@given(st.data())
def test_good_records_are_encoded_as_the_contract_says(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    records = data.draw(st.lists(good_records(contract), min_size=1, max_size=5))
    expected = [[encoded(feature, record.get(feature.name)) for feature in contract] for record in records]
    rows = Contract.of(contract, 100).rows(records)
    np.testing.assert_array_equal(rows, np.array(expected, np.float32))


@given(st.data())
def test_a_record_is_rejected_exactly_when_there_is_something_to_explain(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    record = data.draw(any_records(contract))
    assert keeps(Contract.of(contract, 100), record) == (not explain_record(contract, record, ()))


def keeps(contract: Contract, record: Any) -> bool:
    try:
        contract.rows([record])
    except Invalid as rejection:
        return not rejection.violations
    return True


@given(st.data())
def test_json_is_read_as_its_objects_are(data: st.DataObject) -> None:
    """What is answered straight from the bytes is what the parsed document says; the rest gets a closer look."""
    contract = Contract.of(data.draw(contracts()), 100)
    record = data.draw(any_records(contract.features))
    document = data.draw(st.sampled_from([record, [record], [record, record]]))
    body = orjson.dumps(document, default=str) if fits_json(document) else b"[]"
    found = contract.read(body)
    if found is not None:
        rows, records, single = found
        assert single == (not isinstance(document, list))
        parsed = orjson.loads(body)
        asked = [parsed] if single else parsed
        np.testing.assert_array_equal(rows, contract.rows(asked))
        assert list(records) == asked
    elif body.count(b":") == count_keys(orjson.loads(body)):
        asked = document if isinstance(document, list) else [document]
        assert not asked or not all(keeps(contract, each) for each in asked)


def fits_json(document: Any) -> bool:
    try:
        orjson.loads(orjson.dumps(document))
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        return False
    return True


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"age": 121}, "age", "must be at most 120 years"),
        ({"age": -0.5}, "age", "must be at least 0 years"),
        ({"age": "54"}, "age", "must be a number (years)"),
        ({"age": True}, "age", "must be a number (years)"),
        ({"age": None}, "age", "is null, but required"),
        ({"age": [54]}, "age", "must be a number (years)"),
        ({"sex": 2}, "sex", "must be one of 0, 1"),
        ({"sex": True}, "sex", "must be one of 0, 1"),
        ({"sex": "1"}, "sex", "must be one of 0, 1"),
        ({"cp": "none "}, "cp", "must be one of 'typical', 'atypical', 'none'"),
        ({"cp": {}}, "cp", "must be one of 'typical', 'atypical', 'none'"),
        ({"vessels": 1.5}, "vessels", "must be a whole number"),
        ({"vessels": 4}, "vessels", "must be at most 3"),
        ({"exang": 2}, "exang", "must be true or false, or 1 or 0"),
        ({"vessel": 1}, "vessel", "is not a feature of this model; did you mean vessels?"),
        ({"1=1; --": 1}, "(unknown field)", "is not a feature of this model"),
    ],
)
def test_each_violation_names_the_field_and_the_bound(change: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(Invalid) as rejection:
        Contract.of(HEART, 100).rows([RECORD, RECORD | change])
    assert [(v.path, v.message) for v in rejection.value.violations] == [((1, path), message)]


def test_missing_required_feature() -> None:
    with pytest.raises(Invalid, match="age: is missing, but required"):
        Contract.of(HEART, 100).rows([{k: v for k, v in RECORD.items() if k != "age"}], single=True)


def test_equal_numbers_are_equal_whatever_their_spelling() -> None:
    rows = Contract.of(HEART, 100).rows([RECORD, RECORD | {"sex": 1.0, "vessels": 2.0, "age": 54.0}])
    assert rows[0].tolist() == rows[1].tolist()


def test_numbers_that_float32_cannot_hold_are_rejected() -> None:
    open_feature = (Feature(name="x", type="number"),)
    assert Contract.of(open_feature, 1).rows([{"x": 3.4e38}]).tolist()[0][0] < math.inf
    with pytest.raises(Invalid):
        Contract.of(open_feature, 1).rows([{"x": 1e39}])


def test_errors_of_a_large_batch_are_capped() -> None:
    with pytest.raises(Invalid) as rejection:
        Contract.of(HEART, 1000).rows([{}] * 1000)
    assert len(rejection.value.violations) == MAX_VIOLATIONS + 1
    assert rejection.value.violations[-1].type == "too_many_errors"
