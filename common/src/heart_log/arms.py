"""The outcomes of an experiment's two groups of users: counts and sums, added up by the database."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from heart_log.read import live, same_answer
from heart_log.tables import feedback, predictions
from heart_log.values import ArmSums, Outcome

MOST_VALUES = 100_000
"""Outcomes of a regression that count: nearly all differ, so that a group has one row."""
Group = tuple[str | None, Outcome, int]
"""Predicted label, outcome, and how many rows have both."""


def read_arm(
    connection: Connection, model: str, version: str, since: datetime, ending: str = "", most: int | None = None
) -> list[Group]:
    """Predictions of the version since then whose outcome is known; `most`: the earliest of them alone.

    `ending`: of their request ids.
    """
    rows = (
        select(predictions.c.label, feedback.c.outcome)
        .join_from(feedback, predictions, same_answer(feedback))
        .where(predictions.c.time >= since, feedback.c.author.is_not(None))
    )
    if ending:
        rows = rows.where(predictions.c.request_id.endswith(ending, autoescape=True))
    if most is not None:
        rows = rows.order_by(predictions.c.time, predictions.c.request_id).limit(most)
    found = live(rows, model, version).subquery()
    query = select(found.c.label, found.c.outcome, func.count()).group_by(found.c.label, found.c.outcome)
    return [(label, outcome, count) for label, outcome, count in connection.execute(query)]


def accuracy(groups: Iterable[Group], labels: Sequence[str]) -> ArmSums:
    """One for each outcome that was predicted, zero for each other one; of classes that the model has."""
    known = [(label == outcome, rows) for label, outcome, rows in groups if outcome in labels]
    right = sum(rows for hit, rows in known if hit)
    return ArmSums(sum(rows for _, rows in known), right, right)


def mean_outcome(groups: Iterable[Group], labels: Sequence[str]) -> ArmSums:
    """The value itself (regression); of two classes one for the positive one, which is the second."""
    if labels:
        rows = [(float(outcome == labels[1]), rows) for _, outcome, rows in groups if outcome in labels[:2]]
        rows = rows if len(labels) == 2 else []
    else:
        rows = [(float(outcome), rows) for _, outcome, rows in groups if not isinstance(outcome, str)]
    return ArmSums(
        sum(count for _, count in rows),
        sum(value * count for value, count in rows),
        sum(value * value * count for value, count in rows),
    )
