"""An A/B experiment instead of a canary's steps: `spec.rollout.experiment`."""

from typing import Literal

from pydantic import ConfigDict, Field

from heart_api.base import POSITIVE, Duration, Frozen
from heart_api.rules import rule, rules

NAME_OF_FIELD = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
Metric = Literal["Accuracy", "MeanOutcome", "ErrorRate"]


class AssignBy(Frozen):
    """What tells users apart: exactly one of header and cookie."""

    model_config = ConfigDict(
        json_schema_extra=rules(rule("has(self.header) != has(self.cookie)", "set either header or cookie"))
    )

    header: str | None = Field(
        None, pattern=NAME_OF_FIELD, description="Request header with the user's identity, such as X-User-Id."
    )
    cookie: str | None = Field(None, pattern=NAME_OF_FIELD, description="Cookie with the user's identity.")


class Experiment(Frozen):
    """Two groups of users, one for each version, until an outcome tells the versions apart.

    A user stays in one group: a hash of the identity decides. Requests without an identity go to the stable version and
    count for neither.
    """

    duration: Duration = Field(
        description="Longest duration; then `onInconclusive` says what becomes of the candidate.",
        json_schema_extra=POSITIVE,
    )
    split: int = Field(50, ge=1, le=99, description="Percentage of the users whose requests the candidate answers.")
    by: AssignBy = Field(description="What tells one user from another: a header or a cookie.")
    metric: Metric = Field(
        "Accuracy",
        description="What decides. Accuracy: share of the predictions that the reported outcomes confirm. MeanOutcome:"
        " mean of the reported outcomes (two classes: share of the positive one). ErrorRate: share of 5xx responses.",
    )
    goal: Literal["Maximize", "Minimize"] = Field(
        "Maximize", description="Whether more is better, for MeanOutcome; accuracy is to rise, an error rate to fall."
    )
    min_detectable: float = Field(
        gt=0,
        le=1_000_000,
        description="Smallest difference that matters, in the metric's unit: once a larger one is ruled out both ways,"
        " the experiment ends without a winner.",
    )
    on_inconclusive: Literal["Hold", "Promote", "Rollback"] = Field(
        "Hold",
        description="What becomes of the candidate without a winner. Hold: it waits for `kubectl heart promote` or"
        " `abort`, and users stay in their groups.",
    )
