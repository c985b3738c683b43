"""Statistics add up whatever their order, and nothing that a holder of rows may send is taken on trust."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heart_trainer.sums.additive import Field, StatisticRejected, Sums, total, zero
from heart_trainer.sums.wire import from_bytes, to_bytes

SCHEMA = (Field("rows", "count", (3,)), Field("gradient", "sum", (2, 2)), Field("loss", "square", (1,)))
VALID = {"rows": np.array([1, 2, 3]), "gradient": np.array([[0.5, -1.0], [2.0, 0.0]]), "loss": np.array([4.0])}
# Whole numbers as floats, so that the sums are exact and the laws can be checked to the last bit.
ANY = st.builds(
    lambda rows, gradient, loss: Sums(
        SCHEMA, {"rows": rows, "gradient": gradient.astype(float), "loss": loss.astype(float)}
    ),
    arrays(np.int64, 3, elements=st.integers(0, 10**9)),
    arrays(np.int64, (2, 2), elements=st.integers(-(10**9), 10**9)),
    arrays(np.int64, 1, elements=st.integers(0, 10**9)),
)


def same(one: Sums, other: Sums) -> bool:
    return all(np.array_equal(one[field.name], other[field.name]) for field in SCHEMA)


@given(ANY, ANY, ANY)
def test_addition_is_associative_and_commutative_and_has_an_identity(a: Sums, b: Sums, c: Sums) -> None:
    assert same((a + b) + c, a + (b + c))
    assert same(a + b, b + a)
    assert same(a + zero(SCHEMA), a)
    assert same(total(SCHEMA, [a, b, c]), total(SCHEMA, [c, a, b]))


@given(ANY)
def test_what_is_written_is_read_back_and_equal_statistics_are_equal_bytes(sums: Sums) -> None:
    data = to_bytes(sums)
    assert same(from_bytes(SCHEMA, data), sums)
    assert to_bytes(from_bytes(SCHEMA, data)) == data


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("gradient", np.array([[np.nan, 0], [0, 0]]), "gradient: holds NaN or infinity"),
        ("loss", np.array([np.inf]), "loss: holds NaN or infinity"),
        ("loss", np.array([-1.0]), "loss: holds a negative square"),
        ("rows", np.array([1, -2, 3]), "rows: holds a negative count"),
        ("rows", np.array([1, 2, 2**53]), "rows: holds a count of 2**53 or more"),
        ("rows", np.array([1.0, 2.0, 3.0]), "rows: expected <i8, got <f8"),
        ("rows", np.array([1, 2]), r"rows: expected shape \(3,\), got \(2,\)"),
        ("rows", [1, 2, 3], "rows: expected <i8, got list"),
    ],
)
def test_an_impossible_value_is_rejected_by_name(name: str, value: object, message: str) -> None:
    with pytest.raises(StatisticRejected, match=message.replace("**", r"\*\*")):
        Sums(SCHEMA, {**VALID, name: value})  # type: ignore[dict-item]


def test_sums_that_overflow_together_are_rejected() -> None:
    huge = Sums(SCHEMA, {**VALID, "loss": np.array([1.7e308])})
    with pytest.raises(StatisticRejected, match="loss: holds NaN or infinity"):
        huge + huge
    many = Sums(SCHEMA, {**VALID, "rows": np.array([2**52, 0, 0])})
    with pytest.raises(StatisticRejected, match="rows: holds a count"):
        many + many


def test_answers_to_different_requests_are_not_added() -> None:
    other = (Field("rows", "count", (3,)),)
    with pytest.raises(StatisticRejected, match="two different requests"):
        Sums(SCHEMA, VALID) + zero(other)


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def npy(value: object, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=allow_pickle)  # type: ignore[arg-type]
    return buffer.getvalue()


PARTS = {name: npy(value) for name, value in VALID.items()}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 and no more",
        to_bytes(Sums(SCHEMA, VALID))[:-30],
        archive(rows=PARTS["rows"], gradient=PARTS["gradient"]),
        archive(**PARTS, more=PARTS["loss"]),
        archive(**{**PARTS, "loss": npy(np.array([{"a": 1}], dtype=object), allow_pickle=True)}),
        archive(**{**PARTS, "loss": b"\x93NUMPY\x01\x00"}),
        archive(**{**PARTS, "loss": PARTS["loss"][:-4]}),
        archive(**{**PARTS, "rows": npy(np.array([1, 2, 3], ">i8"))}),
        archive(**{**PARTS, "gradient": npy(np.asfortranarray(VALID["gradient"]))}),
    ],
)
def test_a_message_that_is_no_answer_is_rejected(data: bytes) -> None:
    with pytest.raises(StatisticRejected):
        from_bytes(SCHEMA, data)


def test_a_small_message_cannot_unpack_to_a_large_one() -> None:
    bomb = archive(**{**PARTS, "loss": npy(np.zeros(10**5))})
    with pytest.raises(StatisticRejected, match="loss: 800128 bytes instead of 8"):
        from_bytes(SCHEMA, bomb)
    with pytest.raises(StatisticRejected, match="the message has"):
        from_bytes(SCHEMA, b"0" * 100_000)
