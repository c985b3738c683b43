"""Draws a model's tree again and again, until Ctrl-C."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from heart_api.heartmodel import HeartModel
from heart_cli.errors import ApiFailure
from heart_cli.listing import Columns, model_row, models_table
from heart_cli.text import clean
from heart_cli.tree import build_tree, render
from heart_cli.view import View

ReadView = Callable[[], View]
SECONDS = 2.0


def show(read: ReadView, console: Console) -> None:
    """Once."""
    tree = build_tree(read(), datetime.now(UTC))
    if console.is_terminal:
        console.print(tree)
    else:
        console.file.write(render(tree))


def follow(read: ReadView, console: Console) -> None:
    """On a terminal in place; elsewhere a new tree whenever something changed (the passing of time is no change)."""
    if console.is_terminal:
        follow_live(read, console)
    else:
        follow_plain(read, console)


def follow_live(read: ReadView, console: Console) -> None:
    """An answer that fails to come leaves the last tree, and says so."""
    view = read()
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(build_tree(view, datetime.now(UTC)), refresh=True)
            time.sleep(SECONDS)
            try:
                view = read()
            except ApiFailure as error:
                live.update(stale(view, str(error)), refresh=True)


def stale(view: View, problem: str) -> Tree:
    tree = build_tree(view, datetime.now(UTC))
    tree.add(Text(f"not up to date: {problem}", "red"))
    return tree


def follow_plain(read: ReadView, console: Console) -> None:
    shown: View | None = None
    while True:
        view = read()
        if view != shown:
            console.file.write(render(build_tree(view, datetime.now(UTC))) + "\n")
            console.file.flush()
            shown = view
        time.sleep(SECONDS)


def follow_list(read: Callable[[], list[HeartModel]], columns: Columns, console: Console) -> None:
    """On a terminal the table in place; elsewhere a line for each model that changed, as kubectl does."""
    if not console.is_terminal:
        follow_rows(read, columns, console)
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(models_table(read(), datetime.now(UTC), columns), refresh=True)
            time.sleep(SECONDS)


def follow_rows(read: Callable[[], list[HeartModel]], columns: Columns, console: Console) -> None:
    """The passing of time is no change."""
    shown: dict[tuple[str, str], HeartModel] = {}
    rows, widths = [columns.names] * columns.header, [0] * len(columns.names)
    while True:
        for model in read():
            if shown.get((model.namespace, model.name)) != model:
                shown[model.namespace, model.name] = model
                rows.append([clean(cell) for cell in model_row(model, datetime.now(UTC), columns)])
        widths = [max(width, *map(len, cells)) for width, *cells in zip(widths, *rows, strict=True)] if rows else widths
        console.file.write("".join(f"{aligned(row, widths)}\n" for row in rows))
        console.file.flush()
        rows = []
        time.sleep(SECONDS)


def aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """In columns that only ever grow wider: what was printed before cannot be moved."""
    return "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
