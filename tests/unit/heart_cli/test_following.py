"""Following a model until Ctrl-C: what is drawn, and when."""

import io
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
from rich.console import Console

from heart_cli import following
from heart_cli.errors import ApiFailure
from heart_cli.reading import read_view
from tests.support.apiserver.heart_objects import candidate, heart_model, serving


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch):
    """`passing(change, …)`: one change of the world at each pause, Ctrl-C at the last."""

    def script(*changes: Callable[[], None]) -> None:
        left = iter((*changes, interrupt))
        monkeypatch.setattr(following, "time", SimpleNamespace(sleep=lambda seconds: next(left)()))

    return script


def interrupt() -> None:
    raise KeyboardInterrupt


def nothing() -> None:
    pass


@pytest.mark.parametrize("words", [("status", "heart", "-w"), ("watch", "heart")])
def test_a_pipe_gets_a_tree_for_every_change_and_none_for_time(heart, cluster, passing, words):
    cluster.model = heart_model({"serving": serving("6")})

    def start_candidate() -> None:
        cluster.model = heart_model({"serving": serving("6"), "candidate": candidate("7")})

    passing(nothing, start_candidate, nothing)
    done = heart(*words)
    assert done.exit_code == 0
    assert done.stdout.count("version 6 · stable") == 2
    assert done.stdout.count("version 7 · candidate") == 1


def test_a_list_in_a_pipe_gets_a_line_for_each_model_that_changed(heart, cluster, passing):
    cluster.model = heart_model({"serving": serving("6")})

    def promote() -> None:
        cluster.model = heart_model({"serving": serving("7")})

    passing(nothing, promote, nothing)
    head, *rows = heart("status", "-w", "-A").stdout.splitlines()
    assert head.split()[:2] == ["NAMESPACE", "MODEL"]
    assert {row.index("heart") for row in rows} == {head.index("MODEL")}, "below its header"
    assert [row.split()[:3] for row in rows] == [["clinic", "heart", "6"], ["clinic", "heart", "7"]]


def test_a_terminal_keeps_the_last_tree_through_an_outage(cluster, passing, monkeypatch):
    cluster.model = heart_model({"serving": serving("6")})

    def fail(*_: object) -> None:
        raise ApiFailure("The API server cannot be reached", 0)

    passing(lambda: monkeypatch.setattr(cluster, "get", fail), nothing)
    terminal = Console(file=io.StringIO(), force_terminal=True, width=200)
    with pytest.raises(KeyboardInterrupt):
        following.follow(partial(read_view, cluster, "heart", "heartops-system"), terminal)
    shown = terminal.file.getvalue()
    assert "not up to date: The API server cannot be reached" in shown
    assert "version 6 · stable" in shown.split("not up to date")[0].rpartition("clinic/heart")[2]


def test_a_model_that_goes_ends_it(heart, cluster, passing):
    cluster.model = heart_model({"serving": serving("6")})
    passing(lambda: setattr(cluster, "model", None))
    done = heart("watch", "heart")
    assert done.exit_code == 1
    assert 'HeartModel "heart" not found' in done.stderr
