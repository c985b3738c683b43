"""All models of a namespace, and the versions that one had."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from heart_api.heartmodel import HeartModel
from heart_api.names import Condition
from heart_api.outbox import OutboxEntry
from heart_cli.targets import newest
from heart_cli.text import age, clean, clock, short

PIPE_WIDTH = 1000
"""Columns where the output is no terminal: nothing is folded."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns a list has besides the usual ones."""

    namespace: bool = False
    wide: bool = False
    header: bool = True

    @property
    def names(self) -> list[str]:
        usual = ["MODEL", "READY", "VERSION", "CANDIDATE", "WEIGHT", "SINCE", "REASON"]
        return ["NAMESPACE"] * self.namespace + usual + ["GATE", "DRIFT", "PODS", "URL"] * self.wide


def models_table(models: Iterable[HeartModel], now: datetime, columns: Columns = Columns()) -> Table:
    """A line for each model."""
    table = plain_table(*columns.names)
    table.show_header = columns.header
    for model in models:
        add(table, *model_row(model, now, columns))
    return table


def model_row(model: HeartModel, now: datetime, columns: Columns = Columns()) -> list[str]:
    serving, drift, pods = model.status.serving, model.status.drift, model.status.replicas
    row = usual_cells(model, now)
    if columns.namespace:
        row = [model.namespace, *row]
    if columns.wide:
        url = serving.url or "" if serving else ""
        row += [model.status.gate or "", drift.verdict if drift else "", "" if pods is None else str(pods), url]
    return row


def usual_cells(model: HeartModel, now: datetime) -> list[str]:
    serving, candidate = model.status.serving, model.status.candidate
    ready = next((entry for entry in model.status.conditions if entry.type == Condition.READY), None)
    return [
        model.name,
        ready.status if ready else "",
        serving.version if serving else "",
        candidate.version if candidate else "",
        f"{candidate.actual_weight}%" if candidate else "",
        age(serving.since, now) if serving else "",
        ready.reason if ready else "",
    ]


def history_table(models: Sequence[HeartModel], columns: Columns = Columns(), *, several: bool = False) -> Table:
    """Versions that served and rejected versions, newest first; times in UTC. `several`: with the models' names."""
    whose = ["NAMESPACE"] * columns.namespace + ["MODEL"] * several
    table = plain_table(*whose, "VERSION", "FROM", "UNTIL", "REASON", "BY", "MESSAGE", "DIGEST")
    table.show_header = columns.header
    found = [(row, model) for model in models for row in [*served_rows(model), *rejected_rows(model)]]
    for (_, cells), model in sorted(found, key=lambda each: each[0], reverse=True):
        names = [model.namespace] * columns.namespace + [model.name] * several
        *cells, digest = cells
        add(table, *names, *cells, digest if columns.wide else short(digest))
    return table


SHOWN_FIELDS = ("verdict", "reason", "share", "schedule", "where", "predictions", "outcomes", "message")


def whole_history_table(entries: Iterable[OutboxEntry]) -> Table:
    """Every decision, newest first; times in UTC."""
    table = plain_table("TIME", "DECISION", "VERSION", "BY", "ABOUT", "DIGEST")
    for entry in sorted(entries, key=lambda entry: (entry.time, entry.id), reverse=True):
        about = entry.data
        told = " · ".join(about[name] for name in SHOWN_FIELDS if about.get(name))
        digest = short(about["digest"]) if "digest" in about else ""
        add(table, clock(entry.time), entry.type, about.get("version", ""), about.get("by", ""), told, digest)
    return table


def served_rows(model: HeartModel) -> Iterable[tuple[str, list[str]]]:
    for entry in model.status.history:
        until = clock(entry.until) if entry.until else "serves"
        row = [entry.version, clock(entry.from_), until, entry.reason, entry.by, entry.message, entry.digest]
        yield entry.from_, row


def rejected_rows(model: HeartModel) -> Iterable[tuple[str, list[str]]]:
    for entry in newest(model.status.rejected):
        row = [entry.version, clock(entry.time), "rejected", entry.reason, "", entry.message, entry.digest]
        yield entry.time, row


def plain_table(*names: str) -> Table:
    """Columns as kubectl prints them: no lines, wide enough, nothing cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(clean(cell)) for cell in cells))


def print_table(table: Table) -> None:
    """On stdout, without folding and without trailing blanks where that is no terminal."""
    console = Console()
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(width=PIPE_WIDTH)
    with wide.capture() as printed:
        wide.print(table)
    for row in printed.get().splitlines():
        print(row.rstrip())
