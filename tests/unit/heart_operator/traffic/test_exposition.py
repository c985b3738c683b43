"""What a serving pod may answer, and what a hostile one may: known metrics alone, linear, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, generate_latest

from heart_api.metrics import REQUESTS
from heart_operator.traffic import exposition
from heart_operator.traffic.counters import Unreadable
from heart_operator.traffic.exposition import MAX_LINE, MAX_SERIES, parse_exposition


@given(st.dictionaries(st.text(max_size=20), st.integers(0, 2**40), max_size=8))
def test_whatever_the_labels_hold_is_read_as_it_was_written(counts: dict[str, int]) -> None:
    registry = CollectorRegistry()
    counter = Counter("http_requests", "Requests.", ["code"], registry=registry)
    for code, count in counts.items():
        counter.labels(code.encode(errors="replace").decode()).inc(count)
    found = parse_exposition(generate_latest(registry).decode(), "pod")
    assert {entry.label("code"): value for entry, value in found.items()} == {
        code.encode(errors="replace").decode(): float(count) for code, count in counts.items()
    }


def test_other_metrics_are_skipped_whatever_they_hold() -> None:
    text = f'python_info{{a="{"x" * 10 * MAX_LINE}\n{REQUESTS}{{code="200"}} 3 1700000000\n'
    ((entry, value),) = parse_exposition(text, "pod").items()
    assert (entry.name, entry.label("code"), value) == (REQUESTS, "200", 3)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'{REQUESTS}{{code="{"x" * MAX_LINE}"}} 1', "characters"),
        ("\n".join(f'{REQUESTS}{{code="{number}"}} 1' for number in range(MAX_SERIES + 1)), "series"),
        (REQUESTS + '{code="200} 1', "text format"),
        (REQUESTS + '{code="200"}', "text format"),
        (REQUESTS + '{code="200"} many', "text format"),
        ("<html>", "text format"),
    ],
)
def test_what_is_too_much_or_unknown_is_an_error(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        parse_exposition(text, "pod")


def test_a_line_of_very_many_escaped_labels_takes_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 MB of labels, which a quadratic parser reads for minutes."""
    monkeypatch.setattr(exposition, "MAX_LINE", 10**7)
    labels = "".join(f'a{number}="\\"",' for number in range(150_000))
    (entry,) = parse_exposition(f"{REQUESTS}{{{labels}}} 1", "pod")
    assert len(entry.labels) == 150_000
