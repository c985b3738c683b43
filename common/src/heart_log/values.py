"""What goes into the log and comes out of it; nothing here loads a database library."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

Outcome = str | float
"""Name of the true class, or the true value (regression)."""
ANONYMOUS = "anonymous"
"""Author of outcomes where callers need not authenticate."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who predicted, and which features the log does not get to see."""

    model: str
    version: str
    digest: str
    redacted: tuple[str, ...] = ()


class Key(NamedTuple):
    """One answer: a request, and the position of the record in it (0 for a single one)."""

    request_id: str
    row_index: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of reported outcomes."""

    new: int
    corrected: int
    """They replaced another outcome of the same answer."""
    unchanged: int
    """They repeat what was known."""
    conflicts: int = 0
    """Another author has reported an outcome of the same answer, which stays."""


@dataclass(frozen=True, slots=True)
class ArmSums:
    """Of one group's outcomes."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0


class Erased(NamedTuple):
    """Rows that an erasure removed."""

    predictions: int
    outcomes: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """One record that was answered."""

    version: str
    time: datetime
    features: dict[str, Any]
    """As sent; a feature that is absent or None had no value, unless `redacted` names it."""
    redacted: tuple[str, ...]
    outputs: tuple[float, ...]
    """Probability of each class, in the order of the model's classes; [value] for regression."""
    label: str | None
    """Name of the predicted class; None for regression."""
    outcome: Outcome | None = None
    """None if it was not requested."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What quality is measured by: a prediction without its features."""

    outputs: tuple[float, ...]
    label: str | None
    outcome: Outcome | None = None
