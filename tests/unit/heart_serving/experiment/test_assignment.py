"""Which group a user belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.handover import ExperimentTarget
from heart_serving.experiment.assignment import Assignment

SALT = "0123456789abcdef"


def assignment(split: int = 50, salt: str = SALT, **by: str) -> Assignment:
    values = {"version": "8", "url": "http://candidate", "split": split, "by": by or {"header": "X-User-Id"}}
    return Assignment(
        ExperimentTarget.model_validate(values | {"salt": salt, "metric": "Accuracy", "since": "2026-01-01T00:00:00Z"})
    )


def user(identity: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"application/json"), (b"x-user-id", identity.encode())]


@given(identity=st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1), split=st.integers(1, 99))
def test_every_pod_gives_a_user_the_same_group(identity: str, split: int) -> None:
    found = {assignment(split).arm_of(user(identity)) for _ in range(3)}
    assert len(found) == 1
    assert found <= ({"stable", "candidate"} if identity.strip() else {None})


@pytest.mark.parametrize("split", [1, 10, 50, 99])
def test_the_candidate_gets_its_share_of_the_users(split: int) -> None:
    found = [assignment(split).arm_of(user(f"user-{number}")) for number in range(20_000)]
    assert found.count("candidate") / len(found) == pytest.approx(split / 100, abs=0.012)


def test_a_larger_share_takes_nobody_away_from_the_candidate() -> None:
    few, many = assignment(20), assignment(60)
    for number in range(2000):
        if few.arm_of(user(str(number))) == "candidate":
            assert many.arm_of(user(str(number))) == "candidate"


def test_another_experiment_mixes_the_users_anew() -> None:
    one, other = assignment(salt="a"), assignment(salt="b")
    same = sum(one.arm_of(user(str(number))) == other.arm_of(user(str(number))) for number in range(4000))
    assert same / 4000 == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    "headers", [[], [(b"x-user-id", b"")], [(b"x-user-id", b"  ")], [(b"x-user", b"7")], [(b"cookie", b"x-user-id=7")]]
)
def test_who_does_not_say_who_they_are_belongs_to_no_group(headers: list[tuple[bytes, bytes]]) -> None:
    assert assignment().arm_of(headers) is None


def test_a_cookie_is_found_among_others() -> None:
    by_cookie = assignment(cookie="visitor")
    alone = by_cookie.arm_of([(b"cookie", b"visitor=42")])
    assert alone is not None
    assert by_cookie.arm_of([(b"cookie", b"theme=dark; visitor=42; xvisitor=7")]) == alone
    assert by_cookie.arm_of([(b"cookie", b"a=b"), (b"cookie", b"visitor=42")]) == alone
    assert by_cookie.arm_of([(b"cookie", b"xvisitor=42; visitor=")]) is None
