"""Reading the log: what was answered in a window, and what turned out to be true.

Shadow copies are never among it, nor outcomes without an author: they were reported to a release that asked for no
proof.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, select

from heart_log.tables import feedback, predictions
from heart_log.values import Outcome, Prediction, Scored

KEY = ("model", "request_id", "row_index")
COLUMNS = [predictions.c[name] for name in ("version", "time", "features", "redacted", "outputs", "label")]
SCORES = [predictions.c.outputs, predictions.c.label]


def read_window(
    connection: Connection,
    model: str,
    since: datetime,
    until: datetime,
    *,
    version: str | None,
    limit: int,
    where: Mapping[str, str] = MappingProxyType({}),
) -> list[Prediction]:
    """Predictions with since <= time < until, newest first; of one version, or of all (None).

    `where`: labels that they carry.
    """
    query = live(select(*COLUMNS), model, version).where(predictions.c.time >= since, predictions.c.time < until)
    query = query.where(*(predictions.c.labels[name].as_string() == value for name, value in where.items()))
    return [_prediction(*row) for row in connection.execute(query.order_by(predictions.c.time.desc()).limit(limit))]


def read_labelled(connection: Connection, model: str, *, limit: int) -> list[Prediction]:
    """Predictions whose outcome is known, of all versions, the latest outcomes first.

    A request that two versions answered is returned once: its features and its outcome are the same.
    """
    key = [feedback.c.request_id, feedback.c.row_index]
    query = select(*key, *COLUMNS, feedback.c.outcome).join_from(feedback, predictions, same_answer(feedback))
    ordered = (
        live(query, model)
        .where(feedback.c.author.is_not(None))
        .order_by(feedback.c.time.desc(), *key, predictions.c.time)
        .limit(limit)
    )
    found = {(request, row): _prediction(*rest) for request, row, *rest in connection.execute(ordered)}
    return list(found.values())


def read_outcomes(connection: Connection, model: str, version: str, since: datetime, *, limit: int) -> list[Scored]:
    """Of the model's newest `limit` outcomes reported since then: those of this version's predictions."""
    proven = feedback.c.author.is_not(None)
    recent = select(feedback).where(feedback.c.model == model, feedback.c.time >= since, proven)
    newest = recent.order_by(feedback.c.time.desc()).limit(limit).subquery()
    query = select(*SCORES, newest.c.outcome).join_from(newest, predictions, same_answer(newest))
    return [_scored(*row) for row in connection.execute(live(query, model, version))]


def read_outputs(connection: Connection, model: str, version: str, since: datetime, *, limit: int) -> list[Scored]:
    """A version's newest predictions since then."""
    query = live(select(*SCORES), model, version).where(predictions.c.time >= since)
    return [_scored(*row) for row in connection.execute(query.order_by(predictions.c.time.desc()).limit(limit))]


def live(query: Select[Any], model: str, version: str | None = None) -> Select[Any]:
    """Only requests of users to this model (and version)."""
    query = query.where(predictions.c.model == model, ~predictions.c.shadow)
    return query if version is None else query.where(predictions.c.version == version)


def same_answer(outcomes: FromClause) -> ColumnElement[bool]:
    """The outcome belongs to the prediction."""
    return and_(*(predictions.c[name] == outcomes.c[name] for name in KEY))


def _prediction(
    version: str,
    time: datetime,
    features: dict[str, Any],
    redacted: list[str],
    outputs: list[float],
    label: str | None,
    outcome: Outcome | None = None,
) -> Prediction:
    return Prediction(version, time, features, tuple(redacted), tuple(outputs), label, _outcome(outcome))


def _scored(outputs: list[float], label: str | None, outcome: Outcome | None = None) -> Scored:
    return Scored(tuple(outputs), label, _outcome(outcome))


def _outcome(stored: Outcome | None) -> Outcome | None:
    """SQLite makes an integer of a whole number."""
    return stored if stored is None or isinstance(stored, str) else float(stored)
