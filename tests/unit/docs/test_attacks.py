"""The table of attacks in docs/security.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAMED = re.compile(r"`(tests/[\w/.-]+\.py)::(\w+)(?:\[\"([^`]+)\"\])?`")


def rows() -> list[list[str]]:
    """The cells of each row."""
    section = (ROOT / "docs" / "security.md").read_text().split("\n## Attacks\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines][1:]


def test_there_are_as_many_attacks_as_were_asked_for() -> None:
    found = rows()
    assert len(found) >= 40
    assert len({cells[0].strip("| ") for cells in found}) == len(found), "an attack is listed twice"


@pytest.mark.parametrize("cells", rows(), ids=lambda cells: cells[0].strip("| "))
def test_each_attack_says_before_now_and_a_test_that_exists(cells: list[str]) -> None:
    assert len(cells) == 4
    assert all(cells)
    named = NAMED.fullmatch(cells[3].strip("| "))
    assert named, 'the last cell is `tests/…py::test_name` or `tests/…py::test_name["the attempt"]`'
    file, test, attempt = named.groups()
    text = (ROOT / file).read_text()
    assert re.search(rf"^(async )?def {test}\(", text, re.M), f"{file} has no {test}"
    assert attempt is None or f'"{attempt}"' in text, f"{file} has no attempt {attempt!r}"
