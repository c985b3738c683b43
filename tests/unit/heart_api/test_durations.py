import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("60s", 60), ("1h30m", 5400), ("90d", 7_776_000), ("1m500ms", 60.5), ("0s", 0), ("1d1h", 90_000)],
)
def test_reads_lengths_of_time(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "60", "1.5h", "-1s", "1 h", "h", "1h ", "1w", "1h30", "99999999s", "1s\n"])
def test_rejects_anything_else_and_says_how_to_write_it(text):
    with pytest.raises(ValueError, match="write it like 500ms, 60s or 1h30m"):
        seconds(text)


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_parts_add_up(hours, minutes):
    assert seconds(f"{hours}h{minutes}m") == hours * 3600 + minutes * 60
