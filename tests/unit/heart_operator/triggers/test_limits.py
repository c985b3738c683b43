"""Token buckets: a burst, then a rate; nobody fills the memory, and nobody uses up another's tokens."""

from hypothesis import given
from hypothesis import strategies as st

from heart_operator.triggers.limits import Buckets, Rate


def test_a_burst_then_one_at_a_time() -> None:
    buckets = Buckets(Rate(3, 0.5))
    assert [buckets.take("a", 0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 0) == 2
    assert buckets.take("a", 1) == 1
    assert buckets.take("a", 2) == 0
    assert buckets.take("a", 2) == 2


def test_who_has_none_left_takes_nothing_from_others() -> None:
    buckets = Buckets(Rate(1, 0.1))
    buckets.take("a", 0)
    assert buckets.take("a", 0) > 0
    assert buckets.take("b", 0) == 0


def test_the_memory_is_bounded() -> None:
    buckets = Buckets(Rate(1, 1), most=10)
    for key in range(1000):
        buckets.take(key, 0)
    assert len(buckets) == 10


@given(st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=60))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    buckets, now, taken = Buckets(Rate(5, 0.5)), 0.0, 0
    for pause in pauses:
        now += pause
        taken += buckets.take("a", now) == 0
        assert taken <= 5 + 0.5 * now + 1e-6
