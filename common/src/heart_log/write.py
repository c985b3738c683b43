"""Storing what was predicted and what came true; each function is one statement in the caller's transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from heart_log.tables import erasures, feedback, predictions
from heart_log.values import ANONYMOUS, Erased, Key, Outcome, Source, Stored

ROW_FIELDS = ("request_id", "row_index", "time", "features", "outputs", "label", "shadow", "subject", "labels")
"""Keys of each object in a batch of predictions; `time` is ISO 8601, UTC without saying so; `subject` and `labels` may
be absent."""
OUTCOME_FIELDS = ("request_id", "row_index", "outcome")
DOCUMENTS = ("features", "outputs", "outcome", "labels")


def store_predictions(connection: Connection, source: Source, batch: str) -> int:
    """Rows stored; rows that are there already stay as they are, so that a batch may be tried again.

    `batch`: a JSON list of objects with ROW_FIELDS. The database takes it apart: one parameter instead of one for each
    value, which would be most of what an insert costs here.
    """
    same = {"model": source.model, "version": source.version, "digest": source.digest}
    redacted = literal(list(source.redacted), predictions.c.redacted.type)
    rows = _rows(connection, predictions, ROW_FIELDS).add_columns(*map(literal, same.values()), redacted)
    new = _insert(connection, predictions).from_select([*ROW_FIELDS, *same, "redacted"], rows)
    return connection.execute(new.on_conflict_do_nothing(), {"batch": batch}).rowcount


def store_outcomes(
    connection: Connection, model: str, outcomes: Mapping[Key, Outcome], now: datetime, author: str = ANONYMOUS
) -> Stored:
    """An answer's outcome belongs to the author who reported it first; of theirs the last counts, and the database
    keeps the earlier ones (`feedback_corrections`). Its prediction need not be stored (yet): they are joined when read.
    """
    # In one order, so that two transactions cannot wait for each other.
    batch = json.dumps([key._asdict() | {"outcome": outcome} for key, outcome in sorted(outcomes.items())])
    time = literal(now, feedback.c.time.type)
    rows = _rows(connection, feedback, OUTCOME_FIELDS)
    common = (literal(model), time, literal(0), literal(author))
    names = [*OUTCOME_FIELDS, "model", "time", "corrections", "author"]
    new = _insert(connection, feedback).from_select(names, rows.add_columns(*common))
    changed = new.on_conflict_do_update(
        index_elements=["model", "request_id", "row_index"],
        set_={"outcome": new.excluded.outcome, "time": now, "corrections": feedback.c.corrections + 1},
        where=and_(feedback.c.author == author, feedback.c.outcome != new.excluded.outcome),
    )
    counts = connection.execute(changed.returning(feedback.c.corrections), {"batch": batch}).scalars().all()
    first, left = sum(count == 0 for count in counts), len(outcomes) - len(counts)
    conflicts = _count_others(connection, model, rows, batch, author) if left else 0
    return Stored(first, len(counts) - first, left - conflicts, conflicts)


def _count_others(connection: Connection, model: str, rows: Select[Any], batch: str, author: str) -> int:
    """Answers of the batch whose outcome another author has reported."""
    sent = rows.subquery()
    same = and_(*(feedback.c[name] == sent.c[name] for name in ("request_id", "row_index")))
    query = select(func.count()).select_from(sent.join(feedback, same))
    query = query.where(feedback.c.model == model, feedback.c.author.is_distinct_from(author))
    return int(connection.scalar(query, {"batch": batch}) or 0)


def _rows(connection: Connection, table: Table, names: Sequence[str]) -> Select[Any]:
    """The objects of the parameter `batch` as rows of the table's columns of these names."""
    if connection.dialect.name == "sqlite":
        value = func.json_each(bindparam("batch")).table_valued("value").c.value
        fields = [_sqlite_field(value, name).label(name) for name in names]
        return select(*fields).where(true())  # without a WHERE SQLite takes ON CONFLICT for a join's ON
    typed = [column(name, table.c[name].type) for name in names]
    batch = func.jsonb_to_recordset(cast(bindparam("batch"), postgresql.JSONB))
    return select(*batch.table_valued(*typed).render_derived(with_types=True).c)


def _sqlite_field(value: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    if name == "time":  # in SQLAlchemy's own form, so that texts compare like times
        return func.replace(value.op("->>")(name), "T", " ")
    return value.op("->" if name in DOCUMENTS else "->>")(name)


def delete_older(connection: Connection, table: Table, model: str, before: datetime, limit: int) -> int:
    """Deletes at most `limit` of a model's rows with an earlier time, oldest first; how many.

    On PostgreSQL by a function of the schema, because the connection's role may have no right to DELETE.
    """
    if connection.dialect.name == "postgresql":
        forget = getattr(func, f"forget_{table.name}")
        return int(connection.scalar(select(forget(model, literal(before, table.c.time.type), limit))) or 0)
    key = list(table.primary_key)
    old = select(*key).where(table.c.model == model, table.c.time < before).order_by(table.c.time).limit(limit)
    return connection.execute(delete(table).where(tuple_(*key).in_(old))).rowcount


def erase(connection: Connection, model: str, subject: str | None, requests: Sequence[str], now: datetime) -> Erased:
    """Deletes what is stored of these requests and of all that were about the subject: predictions, the copies that a
    candidate answered, and outcomes. Records that it did."""
    if connection.dialect.name == "postgresql":
        named = cast(list(requests), postgresql.ARRAY(Text))
        found = func.erase(model, cast(subject, Text), named, literal(now, erasures.c.time.type))
        return Erased(*connection.execute(select(*found.table_valued("predictions", "outcomes").c)).one())
    about = (predictions.c.model == model, predictions.c.subject == literal(subject))  # nothing equals NULL
    ids = {*requests, *connection.scalars(select(predictions.c.request_id).where(*about))}

    def gone(table: Table) -> int:
        return connection.execute(delete(table).where(table.c.model == model, table.c.request_id.in_(ids))).rowcount

    erased = Erased(gone(predictions), gone(feedback))
    connection.execute(insert(erasures).values(model=model, time=now, **erased._asdict()))
    return erased


def _insert(connection: Connection, table: Table) -> Any:
    """The insert of the database in use; SQLite and PostgreSQL both support ON CONFLICT with the same names."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
