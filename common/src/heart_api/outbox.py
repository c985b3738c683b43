"""Decisions that receivers have to hear of: `status.outbox`, stored in the write that stores the decision itself."""

from typing import Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.statustypes import Time

Destination = Literal["history", "cloudevents", "openlineage"]
EventType = Literal[
    "training-started",
    "trained",
    "training-failed",
    "evaluated",
    "evaluation-failed",
    "gated",
    "approved",
    "promoted",
    "rolled-back",
    "rejected",
    "drift",
    "drift-checked",
    "erased",
]
MOST_ENTRIES = 64
MAX_VALUE = 500
"""Characters of a value; longer ones are cut."""


class OutboxEntry(FrozenLenient):
    """A decision that a receiver has not acknowledged yet."""

    id: str = Field(description="Deterministic ID, by which a receiver recognizes a repetition.")
    type: EventType = Field(description="What was decided.")
    time: Time = Field(description="Time of the decision.")
    data: dict[str, str] = Field({}, description="What it is about.")
    pending: tuple[Destination, ...] = Field((), description="Who has not acknowledged it yet.")


class OutboxStatus(FrozenLenient):
    """Decisions on their way to the history in the registry and to the configured sinks."""

    entries: tuple[OutboxEntry, ...] = Field((), description="Oldest first.")
    dropped: int = Field(0, description="Decisions that were dropped because nobody acknowledged for long.")


class Erasure(FrozenLenient):
    """What `kubectl heart erase` did, as an annotation of the HeartModel; nothing says whom it was about."""

    id: str = Field(pattern=r"^[\w.:-]{1,63}$")
    time: Time
    predictions: int = Field(0, ge=0)
    outcomes: int = Field(0, ge=0)
