"""Storing what was predicted and what came true; each function is one statement in the caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Table,
    bindparam,
    cast,
    column,
    delete,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from heart_log.tables import feedback, predictions
from heart_log.values import Key, Outcome, Source, Stored

ROW_FIELDS = ("request_id", "row_index", "time", "features", "outputs", "label", "shadow")
"""Keys of each object in a batch; `time` is UTC as `2026-11-21 08:01:02.345678`."""
DOCUMENTS = ("features", "outputs")


def store_predictions(connection: Connection, source: Source, batch: str) -> int:
    """Rows stored; rows that are there already stay as they are, so that a batch may be tried again.

    `batch`: a JSON list of objects with ROW_FIELDS. The database takes it apart: one parameter instead of one for each
    value, which would be most of what an insert costs here.
    """
    same = {"model": source.model, "version": source.version, "digest": source.digest}
    redacted = literal(list(source.redacted), predictions.c.redacted.type)
    rows = _rows(connection).add_columns(*map(literal, same.values()), redacted)
    insert = _insert(connection, predictions).from_select([*ROW_FIELDS, *same, "redacted"], rows)
    return connection.execute(insert.on_conflict_do_nothing(), {"batch": batch}).rowcount


def _rows(connection: Connection) -> Select[Any]:
    """The objects of the parameter `batch` as rows of ROW_FIELDS."""
    if connection.dialect.name == "sqlite":
        value = func.json_each(bindparam("batch")).table_valued("value").c.value
        fields = [value.op("->" if name in DOCUMENTS else "->>")(name) for name in ROW_FIELDS]
        return select(*fields).where(true())  # without a WHERE SQLite takes ON CONFLICT for a join's ON
    typed = [column(name, predictions.c[name].type) for name in ROW_FIELDS]
    batch = func.jsonb_to_recordset(cast(bindparam("batch"), postgresql.JSONB))
    return select(*batch.table_valued(*typed).render_derived(with_types=True).c)


def store_outcomes(connection: Connection, model: str, outcomes: Mapping[Key, Outcome], now: datetime) -> Stored:
    """The last outcome of an answer counts. Its prediction need not be stored (yet): they are joined when read."""
    if not outcomes:
        return Stored(0, 0, 0)
    rows = [
        {"model": model, **key._asdict(), "outcome": outcome, "time": now, "corrections": 0}
        for key, outcome in sorted(outcomes.items())  # one order, so that two transactions cannot wait for each other
    ]
    insert = _insert(connection, feedback).values(rows)
    changed = insert.on_conflict_do_update(
        index_elements=["model", "request_id", "row_index"],
        set_={"outcome": insert.excluded.outcome, "time": now, "corrections": feedback.c.corrections + 1},
        where=feedback.c.outcome != insert.excluded.outcome,
    )
    corrections = connection.execute(changed.returning(feedback.c.corrections)).scalars().all()
    new = sum(count == 0 for count in corrections)
    return Stored(new, len(corrections) - new, len(rows) - len(corrections))


def delete_older(connection: Connection, table: Table, model: str, before: datetime, limit: int) -> int:
    """Deletes at most `limit` of a model's rows with an earlier time, oldest first; how many."""
    key = list(table.primary_key)
    old = select(*key).where(table.c.model == model, table.c.time < before).order_by(table.c.time).limit(limit)
    return connection.execute(delete(table).where(tuple_(*key).in_(old))).rowcount


def _insert(connection: Connection, table: Table) -> Any:
    """Both dialects know ON CONFLICT, under the same names."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
