"""docs/kubectl-heart.md shows what the commands print: the page and the program are compared."""

import re
from pathlib import Path

import pytest

from heart_cli.errors import ApiFailure
from tests.support.apiserver.heart_objects import candidate, heart_model, previous, served, serving

PAGE = (Path(__file__).resolve().parents[3] / "docs/kubectl-heart.md").read_text()
GOLDEN = Path(__file__).parent / "golden"


def on_the_page(text: str) -> bool:
    """Its model is called heart-disease."""
    return re.sub(r"\bheart\b(?=[ :.,]|$)(?<!kubectl heart)", "heart-disease", text.strip()) in PAGE


def test_the_tree_of_a_model() -> None:
    assert (GOLDEN / "at_a_step.txt").read_text() in PAGE


def test_the_branch_of_a_schedule() -> None:
    lines = (GOLDEN / "retrained.txt").read_text().splitlines(keepends=True)
    first = next(place for place, line in enumerate(lines) if "schedule nightly" in line)
    assert "".join(lines[first : first + 4]) in PAGE


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("promote", "heart"), {"serving": serving("2")}),
        (("promote", "heart", "--version", "3"), {"serving": serving("1"), "candidate": candidate("2")}),
        (("rollback", "heart"), {"serving": serving("1"), "candidate": candidate("2")}),
    ],
)
def test_a_command_that_does_not_apply(heart, cluster, words, status):
    cluster.model = heart_model(status)
    done = heart(*words)
    assert done.exit_code == 1
    assert on_the_page(done.stderr), done.stderr


def test_a_note_beside_a_rollback(heart, cluster):
    cluster.model = heart_model({"serving": serving("2"), "previous": previous("1")})
    assert on_the_page(heart("rollback", "heart").stderr)


def test_a_record_that_breaks_the_contract(heart, cluster):
    cluster.model = heart_model({"serving": serving("7")})
    body = b'{"detail": [{"loc": ["body", "age"], "msg": "must be at most 120 years"}]}'
    cluster.answer = ApiFailure("", 422, body)
    assert on_the_page(heart("predict", "heart", '{"age": 630}').stderr)


@pytest.mark.parametrize("words", [("status",), ("history", "heart")])
def test_the_columns_of_a_list(heart, cluster, words):
    past = [served("1", "2026-11-18T04:00:00Z", reason="Promoted")]
    cluster.model = heart_model({"serving": serving("1"), "history": past})
    columns = heart(*words).stdout.splitlines()[0].split()
    assert columns in [line.split() for line in PAGE.splitlines()]


def test_an_explanation(heart):
    assert heart("explain", "GateFailed").stdout in PAGE
