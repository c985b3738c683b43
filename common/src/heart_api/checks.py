"""A drift check on demand: `kubectl heart check`, or the operator's endpoint for triggers.

The order is an annotation of the HeartModel (of a person), or in its status (of the endpoint). The Job that carries it
out has the same order on its pod template, which cannot be changed.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from heart_api.base import FrozenLenient
from heart_api.driftstatus import DriftStatus
from heart_api.labels import MOST_LABELS, NAME, LabelValue
from heart_api.names import Annotation
from heart_api.statustypes import Time
from heart_api.times import read

LONGEST = timedelta(days=366)
"""Longest window of a check."""
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
LONGEST_USER = 253
MAX_ORDER = 4096
"""Characters of an order."""

OrderId = Annotated[str, Field(pattern=r"^[\w.:-]{1,63}$")]


class CheckOrder(FrozenLenient):
    """A drift check that somebody requested."""

    id: OrderId = Field(description="ID of the check; a later one sorts behind it.")
    by: str = Field("", max_length=LONGEST_USER, description="User who requested it.")
    since: Time = Field(description="Start of the window.")
    until: Time = Field(description="End of the window.")
    where: dict[str, LabelValue] = Field(
        {}, max_length=MOST_LABELS, description="Labels that the predictions carry (`serving.predictionLog.labels`)."
    )
    min_samples: int = Field(100, ge=20, le=1_000_000, description="Minimum number of predictions per window.")
    threshold: float = Field(0.5, gt=0, le=1, description="Share of drifted features that counts as drift.")
    any_feature: bool = Field(False, description="True if a single drifted feature counts as drift.")

    @model_validator(mode="after")
    def _labels(self) -> Self:
        for name in self.where:
            if re.fullmatch(NAME, name) is None:
                raise ValueError(f"{name} is no name of a label")
        return self

    @model_validator(mode="after")
    def _window(self) -> Self:
        try:
            length = read(self.until) - read(self.since)
        except (ValueError, TypeError):
            raise ValueError("since and until must be times in RFC 3339, as 2026-11-22T06:00:00Z") from None
        if read(self.since).tzinfo is None or not timedelta(seconds=1) <= length <= LONGEST:
            raise ValueError(f"the window must end after it starts, and be {LONGEST.days} days long at most")
        return self

    def text(self) -> str:
        """As a Job's annotation holds it."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    def annotations(self) -> dict[str, str]:
        """What to write on the HeartModel. The user stands apart, so that the API server can compare it."""
        return {Annotation.CHECK: self.model_copy(update={"by": ""}).text(), Annotation.CHECK_BY: self.by}


class CheckStatus(FrozenLenient):
    """The latest drift check on demand; it never triggers a training."""

    id: str = Field(description="ID of the check.")
    by: str = Field("", description="User who requested it.")
    since: Time = Field(description="Start of the window.")
    until: Time = Field(description="End of the window.")
    where: dict[str, str] = Field({}, description="Labels of the predictions that were checked.")
    phase: Literal["Pending", "Running", "Succeeded", "Failed"] = Field(
        description="Phase of the check. Pending: it cannot start, and the message says why."
    )
    job: str | None = Field(None, description="Name of the Job.")
    finished_at: Time | None = Field(None, description="Time at which the Job finished.")
    drift: DriftStatus | None = None
    message: str = Field("", description="Human-readable result, or why there is none.")


def read_order(text: str) -> CheckOrder | None:
    """None for what is not an order."""
    if not 0 < len(text) <= MAX_ORDER:
        return None
    try:
        return CheckOrder.model_validate_json(text)
    except ValidationError:
        return None


def newest_order(annotations: Mapping[str, str], triggered: CheckOrder | None) -> CheckOrder | None:
    """Of the person's order and the endpoint's the one with the later id."""
    asked = read_order(annotations.get(Annotation.CHECK, ""))
    if asked:
        asked = asked.model_copy(update={"by": annotations.get(Annotation.CHECK_BY, "")[:LONGEST_USER]})
    found = [order for order in (asked, triggered) if order]
    return max(found, key=lambda order: order.id, default=None)


def duration(length: timedelta) -> str:
    """`1d2h`, as Kubernetes users write it."""
    rest, parts = int(length.total_seconds()), []
    for unit, size in UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "1s"


def new_id(moment: datetime, unique: str) -> str:
    """Sorts by time, and differs for two people in one second."""
    return f"{moment:%Y%m%dT%H%M%SZ}-{re.sub(r'[^0-9a-f]', '', unique)[:8]}"
