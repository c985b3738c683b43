"""Signatures of MLflow's webhooks: made by MLflow itself, and forged in every way that we can think of."""

from pathlib import Path

import pytest
from mlflow.webhooks.delivery import _generate_hmac_signature

from heart_operator.triggers.webhooks import DELIVERY, FUTURE, PAST, SIGNATURE, TIMESTAMP, read_keys, verify

KEY, OTHER = b"a key of thirty-two characters..", b"another key of that many chars.."
ID, NOW, BODY = "0b1c2d3e-0000-4000-8000-000000000001", 1_800_000_000, b'{"entity": "model_version"}'


def signed(key: bytes = KEY, id_: str = ID, stamp: int | str = NOW, body: bytes = BODY) -> dict[str, str]:
    """The headers that MLflow sends."""
    signature = _generate_hmac_signature(key.decode(), id_, str(stamp), body.decode())
    return {SIGNATURE: signature, DELIVERY: id_, TIMESTAMP: str(stamp)}


def test_mlflows_own_signature_is_accepted() -> None:
    found = verify(signed(), BODY, [KEY], NOW)
    assert found
    assert (found.id, found.at.timestamp()) == (ID, NOW)
    assert verify(signed(), BODY, [OTHER, KEY], NOW), "during a rotation two keys are valid"


@pytest.mark.parametrize("late", [0, PAST, -FUTURE])
def test_within_the_window_it_counts(late: float) -> None:
    assert verify(signed(), BODY, [KEY], NOW + late)


@pytest.mark.parametrize("late", [PAST + 1, -FUTURE - 1, 1e9])
def test_outside_of_the_window_it_does_not(late: float) -> None:
    assert verify(signed(), BODY, [KEY], NOW + late) is None


FORGERIES = {
    "nothing": {},
    "no signature": signed() | {SIGNATURE: ""},
    "another key": signed(OTHER),
    "another body": signed(body=b"{}"),
    "another id": signed() | {DELIVERY: ID.replace("1", "2")},
    "another time": signed() | {TIMESTAMP: str(NOW + 1)},
    "no version": signed() | {SIGNATURE: signed()[SIGNATURE].removeprefix("v1,")},
    "another version": signed() | {SIGNATURE: signed()[SIGNATURE].replace("v1,", "v2,")},
    "half of it": signed() | {SIGNATURE: signed()[SIGNATURE][:20]},
    "no base64": signed() | {SIGNATURE: "v1,%%%%"},
    "no number": signed() | {TIMESTAMP: "now"},
    "a number of another alphabet": signed() | {TIMESTAMP: "١٨٠٠٠٠٠٠٠٠"},
    "a point in the id": signed(id_="a.b") | {DELIVERY: "a.b"},
    "an endless id": signed(id_="a" * 65),
    "many signatures": signed() | {SIGNATURE: "v1,AAAA " * 4 + signed()[SIGNATURE]},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_the_key_has_not_signed_is_rejected(name: str) -> None:
    assert verify(FORGERIES[name], BODY, [KEY], NOW) is None


def test_without_a_key_nothing_is_accepted() -> None:
    """Not even what an empty key has signed."""
    assert verify(signed(), BODY, [], NOW) is None
    assert verify(signed(b""), BODY, [], NOW) is None


def test_keys_are_the_namespaces_own(tmp_path: Path) -> None:
    (tmp_path / "clinic").write_bytes(KEY + b"\n" + OTHER + b"\n")
    (tmp_path / "lab").write_bytes(b"short\n\n")
    (tmp_path.parent / "outside").write_bytes(KEY)
    assert read_keys(tmp_path, "clinic") == (KEY, OTHER)
    for name in ("lab", "ward", "../outside", "", ".", "clinic/../clinic", "CLINIC"):
        assert read_keys(tmp_path, name) == ()
    assert read_keys(None, "clinic") == ()
