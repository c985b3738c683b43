"""What a person sees of a model, in every state that it may be found in.

After a wanted change: `HEARTOPS_GOLDEN=write pytest tests/unit/cli`, then read the diff.
"""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from heart_cli.tree import build_tree, render
from heart_cli.view import build_view
from tests.support.apiserver.heart_objects import candidate, heart_model, pod, serving
from tests.unit.heart_cli.cases import CASES, NOW, STEPS

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("HEARTOPS_GOLDEN") == "write"


def text(view) -> str:
    return render(build_tree(view, NOW))


@pytest.mark.parametrize("name", CASES)
def test_tree_is_the_golden_one(name):
    shown, file = text(CASES[name]()), GOLDEN / f"{name}.txt"
    if WRITE:
        file.write_text(shown)
    assert shown == file.read_text()


def test_every_golden_file_has_its_case():
    assert {file.stem for file in GOLDEN.iterdir()} == set(CASES)


def test_text_of_others_neither_styles_nor_drives_the_terminal():
    status = {"serving": serving(), "candidate": candidate(message="[bold]x[/bold]\x1b[2J\r\nversion 9  stable")}
    shown = text(build_view(heart_model(status)))
    assert "[bold]x[/bold]" in shown
    assert "\x1b" not in shown
    assert not [entry for entry in shown.splitlines() if entry.startswith("version 9")]


def test_a_long_message_stays_on_one_line_in_a_pipe():
    words = "word " * 300 + "end"
    shown = text(build_view(heart_model({"serving": serving(), "candidate": candidate(message=words)})))
    assert any(words in entry for entry in shown.splitlines())


def test_pods_of_a_version_without_a_role_are_shown():
    gone = pod("3", "going")
    gone["metadata"]["deletionTimestamp"] = "2026-11-21T07:59:00Z"
    assert "pod heart-v3-going · ending" in text(build_view(heart_model({"serving": serving()}), pods=[gone]))


def test_a_pause_counts_down_and_is_then_over():
    status = {
        "serving": serving(),
        "candidate": candidate(step=1, stepSince="2026-11-21T07:57:40Z", phase="Paused"),
    }
    view = build_view(heart_model(status, STEPS))
    assert "pause 5m, 2m40s left" in text(view)
    assert "pause 5m, over" in render(build_tree(view, NOW + timedelta(minutes=3)))
