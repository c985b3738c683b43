"""Colours for people at a terminal, and none in a pipe, in a file or with NO_COLOR."""

import os
import pty
import subprocess
import sys

import pytest

PROGRAM = """
from datetime import UTC, datetime
from rich.console import Console
from heart_cli.following import show
from heart_cli.view import build_view
from tests.support.apiserver.heart_objects import heart_model, serving
show(lambda: build_view(heart_model({"serving": serving("6")}), [], [], [], []), Console())
"""
ESCAPE = "\x1b["


def at_a_terminal(**variables: str) -> str:
    """What a model's tree looks like where standard output is a terminal."""
    mine, its = pty.openpty()
    command = [sys.executable, "-c", PROGRAM]
    environment = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm-256color", **variables}
    with subprocess.Popen(command, stdout=its, stderr=subprocess.PIPE, env=environment) as process:
        _, errors = process.communicate(timeout=120)
    os.close(its)
    assert process.returncode == 0, errors
    shown = os.read(mine, 65536).decode()
    os.close(mine)
    return shown


def test_a_terminal_shows_colours() -> None:
    shown = at_a_terminal()
    assert "version 6" in shown
    assert ESCAPE in shown


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_whoever_wants_none_gets_none(variables: dict[str, str]) -> None:
    shown = at_a_terminal(**variables)
    assert "version 6" in shown
    assert "[3" not in shown, "no colour; NO_COLOR leaves bold and dim"


def test_a_pipe_gets_plain_text() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    assert "version 6" in done.stdout
    assert "\x1b" not in done.stdout
