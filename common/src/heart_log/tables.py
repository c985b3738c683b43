"""The tables. `migrations/versions` creates the same ones; a test compares both.

A namespace's models share a schema, so `model` is the HeartModel's name alone. No table names its schema: the role's
search path does.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in and out; SQLite, which knows no time zones, stores them as UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        aware: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware


Document = JSON().with_variant(JSONB(), "postgresql")
metadata = MetaData()

predictions = Table(
    "predictions",
    metadata,
    Column("model", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("row_index", Integer, primary_key=True, comment="position in the request, from 0"),
    Column("version", Text, primary_key=True, comment="a request that is tried again may reach two versions"),
    Column("digest", Text, nullable=False, comment="sha256:… of the model file"),
    Column("time", UtcDateTime, nullable=False, comment="when it was answered"),
    Column("features", Document, nullable=False, comment="name → value as it was sent, without redacted features"),
    Column("redacted", Document, nullable=False, comment="names of the features that were left out on purpose"),
    Column("outputs", Document, nullable=False, comment="probability of each class, or [value] (regression)"),
    Column("label", Text, comment="name of the predicted class; null for regression"),
    Column("shadow", Boolean, nullable=False, comment="a mirrored request, whose response is discarded"),
    Column("subject", Text, comment="whom the request was about, if the caller says so"),
    Column("labels", Document, comment="name → value of the labels that the model logs and the caller sent"),
    Index("predictions_model_time", "model", "time"),
    Index("predictions_model_subject", "model", "subject"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("model", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("row_index", Integer, primary_key=True),
    Column("outcome", Document, nullable=False, comment="name of the true class, or the true value (regression)"),
    Column("time", UtcDateTime, nullable=False, comment="when this outcome was reported first"),
    Column("corrections", Integer, nullable=False, comment="how often another outcome replaced an earlier one"),
    Column("author", Text, comment="name of the caller who reported it; null: a release that asked for no proof"),
    Index("feedback_model_time", "model", "time"),
)

corrections = Table(
    "feedback_corrections",
    metadata,
    Column("model", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("row_index", Integer, primary_key=True),
    Column("correction", Integer, primary_key=True, comment="0: the first outcome that was reported"),
    Column("outcome", Document, nullable=False),
    Column("author", Text),
    Column("time", UtcDateTime, nullable=False, comment="when it was reported"),
    ForeignKeyConstraint(
        ["model", "request_id", "row_index"],
        ["feedback.model", "feedback.request_id", "feedback.row_index"],
        ondelete="CASCADE",
    ),
)
"""Outcomes that a correction replaced. A trigger of the database writes them; they go with their outcome."""

erasures = Table(
    "erasures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("time", UtcDateTime, nullable=False),
    Column("predictions", Integer, nullable=False, comment="rows that were erased"),
    Column("outcomes", Integer, nullable=False, comment="rows that were erased"),
)
"""Evidence that something was erased, and when; nothing says what it was."""
