"""`kubectl heart explain` knows every word that the operator's code can write as a reason, wherever it is written."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from heart_cli.explaining import find_explanations

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ("operator/src/heart_operator", "common/src/heart_api")
CALLS = {"Event": 1, "Finding": 1, "Blocked": 0, "Obstacle": 0, "TrainingFailure": 0}
"""Place of the reason among the arguments of what carries one."""


def literal_reasons() -> Iterator[tuple[str, str]]:
    """(reason, file) of each that is written as a string, and not by the names of `heart_api.names`."""
    for path in sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                for word in reasons_of(node):
                    yield word, str(path.relative_to(ROOT))


def reasons_of(call: ast.Call) -> Iterator[str]:
    place = CALLS.get(call.func.id if isinstance(call.func, ast.Name) else "")
    given = call.args[place : place + 1] if place is not None else []
    given += [each.value for each in call.keywords if each.arg in ("reason", "cause")]
    for each in given:
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value[:1].isupper():
            yield each.value


FOUND = sorted(set(literal_reasons()))


def test_what_is_written_as_a_string_is_found() -> None:
    assert {"CheckInterrupted", "TrainingInterrupted"} <= {reason for reason, _ in FOUND}
    assert list(reasons_of(ast.parse('Event("Warning", "Odd", "x")', mode="eval").body)) == ["Odd"]


@pytest.mark.parametrize(("reason", "file"), FOUND)
def test_a_reason_in_the_code_is_explained(reason: str, file: str) -> None:
    assert find_explanations(reason), f"{file} writes {reason}"
