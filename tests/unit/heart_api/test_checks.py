"""Orders of drift checks, and the labels that they select by: bounded, and nothing else than their form."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from heart_api.checks import MAX_ORDER, CheckOrder, duration, new_id, newest_order, read_order
from heart_api.durations import seconds
from heart_api.labels import FORM, LONGEST, MOST_LABELS, read_labels
from heart_api.names import Annotation

DAY = {"since": "2026-11-21T06:00:00Z", "until": "2026-11-22T06:00:00Z"}


def order(**changes: object) -> CheckOrder:
    return CheckOrder.model_validate({"id": "20261122T060000Z-ab", "by": "alice", **DAY, **changes})


def test_an_order_is_read_as_it_was_written() -> None:
    given = order(where={"site": "hospital-01"}, threshold=0.3)
    assert read_order(given.text()) == given


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "a b"},
        {"since": DAY["until"]},
        {"since": DAY["until"], "until": DAY["since"]},
        {"since": "2020-01-01T00:00:00Z"},
        {"since": "yesterday"},
        {"since": "2026-11-21T06:00:00"},
        {"where": {"Site": "a"}},
        {"where": {"site": "a b"}},
        {"where": {"site": "x" * 64}},
        {"where": {f"l{index}": "a" for index in range(MOST_LABELS + 1)}},
        {"minSamples": 3},
        {"threshold": 0},
    ],
)
def test_what_is_no_order_is_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        order(**changes)


@pytest.mark.parametrize("text", ["", "{}", "null", "now", "[1]", "x" * (MAX_ORDER + 1)])
def test_an_annotation_of_any_form_is_no_error(text: str) -> None:
    assert read_order(text) is None


def test_the_later_of_two_orders_counts() -> None:
    early, late = order(id="20261122T060000Z-ab"), order(id="20261122T070000Z-00")
    assert newest_order(early.annotations(), None) == early
    assert newest_order(early.annotations(), late) == late
    assert newest_order(late.annotations(), early) == late
    assert newest_order({}, None) is None


@given(st.integers(1, 366 * 86400))
def test_a_length_is_written_as_kubernetes_users_write_it(length: int) -> None:
    text = duration(timedelta(seconds=length))
    assert seconds(text) == length
    assert len(text) <= 16


def test_an_order_cannot_say_itself_who_gave_it() -> None:
    forged = order(by="alice").annotations() | {Annotation.CHECK: order(by="bob").text()}
    found = newest_order(forged, None)
    assert found
    assert found.by == "alice"


def test_ids_sort_by_time() -> None:
    moment = datetime(2026, 11, 22, 6, tzinfo=UTC)
    assert new_id(moment, "ff") < new_id(moment + timedelta(seconds=1), "00")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("site=hospital-01", {"site": "hospital-01"}),
        ("site=hospital-01,ward=3", {"site": "hospital-01", "ward": "3"}),
        ("site=hospital-01, ward=3", {"site": "hospital-01", "ward": "3"}),
        ("site=a,site=b", None),
        ("site=", None),
        ("Site=a", None),
        ("site=a;drop", None),
        ("site=a,", None),
        ("site='a'", None),
        ("site=ä", None),
        ("site=" + "x" * 64, None),
        (",".join(f"l{index}=a" for index in range(MOST_LABELS + 1)), None),
        ("x" * (LONGEST + 1), None),
        ("", None),
    ],
)
def test_labels_have_one_form(text: str, found: dict[str, str] | None) -> None:
    assert read_labels(text) == found


@given(st.from_regex(FORM, fullmatch=True))
def test_labels_of_that_form_are_read_unless_one_comes_twice(text: str) -> None:
    found = read_labels(text)
    names = [part.strip().partition("=")[0] for part in text.split(",")]
    if len(text) <= LONGEST and len(set(names)) == len(names):
        assert found is not None
        assert list(found) == names
    else:
        assert found is None
