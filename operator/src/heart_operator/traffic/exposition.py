"""A pod's /metrics in Prometheus' text format, read line by line in linear time and within bounds.

Whoever may run a pod decides what it answers: prometheus_client's parser takes quadratic time for escaped quotes.
"""

import re
from collections.abc import Iterator

from heart_operator.traffic.counters import NAMES, Series, Unreadable, series

MAX_LINE = 4096
MAX_SERIES = 5000
"""Maximum samples that are read; the largest model has a tenth of it."""
NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*,?')


def parse_exposition(text: str, source: str) -> dict[Series, float]:
    """Samples of the metrics in NAMES, `source` being the pod; raises Unreadable."""
    found: dict[Series, float] = {}
    for name, rest in known_lines(text):
        labels, value = parse_sample(rest)
        entry, number = series(source, name, labels, value)
        found[entry] = number
        if len(found) > MAX_SERIES:
            raise Unreadable(f"it answers with more than {MAX_SERIES} series")
    return found


def known_lines(text: str) -> Iterator[tuple[str, str]]:
    """(name, rest of the line) of each sample whose metric is known; the others are not parsed."""
    for line in text.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        name = NAME.match(line)
        if name is None:
            raise unknown_format()
        if name[0] in NAMES:
            if len(line) > MAX_LINE:
                raise Unreadable(f"it answers with a line of more than {MAX_LINE} characters")
            yield name[0], line[name.end() :]


def parse_sample(rest: str) -> tuple[dict[str, str], float]:
    """`{code="200",…} 3.0 [timestamp]` → labels and value."""
    labels: dict[str, str] = {}
    if rest.startswith("{"):
        end = 1
        while label := LABEL.match(rest, end):
            labels[label[1]] = unescaped(label[2])
            end = label.end()
        if rest[end : end + 1] != "}":
            raise unknown_format()
        rest = rest[end + 1 :]
    try:
        return labels, float(rest.split()[0])
    except (ValueError, IndexError):
        raise unknown_format() from None


def unescaped(text: str) -> str:
    """A label's value: `\\\\`, `\\"` and `\\n` are escapes."""
    return "\\".join(part.replace('\\"', '"').replace("\\n", "\n") for part in text.split("\\\\"))


def unknown_format() -> Unreadable:
    return Unreadable("its answer is not in Prometheus' text format")
