"""The outcomes of an experiment's two groups of users: counts and sums, added up by the database."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from heart_log.read import live, same_answer
from heart_log.tables import feedback, predictions
from heart_log.values import ArmSums, Outcome

MOST_GROUPS = 100_000
"""Different outcomes: of classes there are few, of values as many as rows."""
Group = tuple[str | None, Outcome, int]
"""Predicted label, outcome, and how many rows have both."""


def read_arm(connection: Connection, model: str, version: str, since: datetime, ending: str = "") -> list[Group]:
    """Predictions of the version since then whose outcome is known. `ending`: of their request ids."""
    query = (
        select(predictions.c.label, feedback.c.outcome, func.count())
        .join_from(feedback, predictions, same_answer(feedback))
        .where(predictions.c.time >= since, feedback.c.author.is_not(None))
        .group_by(predictions.c.label, feedback.c.outcome)
        .limit(MOST_GROUPS)
    )
    if ending:
        query = query.where(predictions.c.request_id.endswith(ending, autoescape=True))
    return [(label, outcome, rows) for label, outcome, rows in connection.execute(live(query, model, version))]


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
