"""`RetrainSchedule`: when a HeartModel is trained again, and what became of it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from heart_api.base import NAME_PATTERN, POSITIVE, Duration, Frozen
from heart_api.rules import rule, rules
from heart_api.schedulestatus import RetrainScheduleStatus


def cron_pattern() -> str:
    """Five fields as in a CronJob: numbers, names, lists, ranges and steps."""
    months = "(JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)"
    days = "(SUN|MON|TUE|WED|THU|FRI|SAT)"
    numbers = ("[0-5]?[0-9]", "([01]?[0-9]|2[0-3])", "(0?[1-9]|[12][0-9]|3[01])", f"(0?[1-9]|1[0-2]|{months})")
    return "^" + " +".join(cron_field(number) for number in (*numbers, f"([0-7]|{days})")) + "$"


def cron_field(number: str) -> str:
    """A comma-separated list of `*`, numbers and ranges, each with a step or without."""
    item = f"([*]|{number}(-{number})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


Cron = Annotated[
    str,
    Field(
        max_length=100,
        json_schema_extra=rules(
            rule(
                f"self.upperAscii().matches('{cron_pattern()}')",
                "must be five cron fields: minute, hour, day of month, month, day of week; as `0 3 * * 0`",
            )
        ),
    ),
]
"""When, as cron writes it."""

PositiveDuration = Annotated[Duration, Field(json_schema_extra=POSITIVE)]


class DriftCheck(Frozen):
    """Compare live inputs with those of the training."""

    schedule: Cron = Field("0 */6 * * *", description="When to look, as cron writes it, in `timeZone`.")
    window: PositiveDuration = Field(
        "24h", description="Predictions of so long before the look; drift must also show in the window before that."
    )
    min_samples: int = Field(
        100, ge=20, le=1_000_000, description="With fewer predictions in a window nothing is concluded."
    )
    threshold: float = Field(0.5, gt=0, le=1, description="Share of drifted features from which to train again.")
    any_feature: bool = Field(False, description="Train again when a single feature has drifted.")


class PerformanceCheck(Frozen):
    """Watch a figure of a classification; looked at together with drift (`drift.schedule`, or every 6 hours)."""

    metric: Literal["accuracy", "precision", "recall"] = Field(
        "accuracy", description="The figure; precision and recall are for two classes."
    )
    below: float = Field(gt=0, lt=1, description="Train again when the whole 95 % interval is below this.")
    source: Literal["Feedback", "Estimated"] = Field(
        "Feedback",
        description="True outcomes sent to `/feedback`, or an estimate from the probabilities alone. Estimates stay"
        " high when the relation of inputs and outcome changes.",
    )
    window: PositiveDuration = Field("7d", description="Predictions of so long before the look.")
    min_samples: int = Field(
        100, ge=20, le=1_000_000, description="With fewer (Feedback: fewer outcomes) nothing is concluded."
    )


class RetrainScheduleSpec(Frozen):
    """When to train again."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.schedule) || has(self.drift) || has(self.performance)",
                "at least one of schedule, drift and performance is needed",
            ),
            rule(
                "self.modelName == oldSelf.modelName",
                "modelName cannot be changed: create another RetrainSchedule",
                ".modelName",
                "FieldValueForbidden",
            ),
        )
    )

    model_name: str = Field(pattern=NAME_PATTERN, max_length=63, description="A HeartModel of the same namespace.")
    schedule: Cron | None = Field(None, description="When to train, as cron writes it: `0 3 * * 0` is Sunday at three.")
    time_zone: str = Field(
        "Etc/UTC",
        pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$",
        max_length=63,
        description="IANA name of the zone that both cron schedules are in, as `Europe/Berlin`.",
    )
    drift: DriftCheck | None = None
    performance: PerformanceCheck | None = None
    concurrency_policy: Literal["Forbid", "Replace"] = Field(
        "Forbid",
        description="While a training runs or a candidate is on its way: wait for its end (Forbid), or stop it"
        " (Replace).",
    )
    cooldown: Duration = Field("12h", description="Least time between two runs that drift or performance asked for.")
    max_runs_per_week: int = Field(
        3, ge=1, le=100, description="Runs that drift and performance may ask for in seven days."
    )
    starting_deadline_seconds: int = Field(
        3600,
        ge=10,
        le=604_800,
        description="A run or a look that could not start for so long is given up; of several missed ones only the"
        " latest is made up for.",
    )
    suspend: bool = Field(False, description="Start nothing; what runs goes on.")
    successful_runs_history_limit: int = Field(3, ge=0, le=50, description="Successful runs shown in the status.")
    failed_runs_history_limit: int = Field(1, ge=0, le=50, description="Other ended runs shown in the status.")


class RetrainSchedule(Frozen):
    """A RetrainSchedule with the part of its metadata that decisions use."""

    namespace: str
    name: str
    uid: str
    generation: int = 1
    created: str
    """RFC 3339: nothing is due that was due before."""
    spec: RetrainScheduleSpec
    status: RetrainScheduleStatus = RetrainScheduleStatus()
