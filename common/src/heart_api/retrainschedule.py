"""`RetrainSchedule`: when a HeartModel is retrained."""

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
"""Cron expression."""

PositiveDuration = Annotated[Duration, Field(json_schema_extra=POSITIVE)]


class DriftCheck(Frozen):
    """Drift detection: live inputs are compared with the training data."""

    schedule: Cron = Field("0 */6 * * *", description="Cron schedule of the checks, in `timeZone`.")
    window: PositiveDuration = Field(
        "24h",
        description="Length of the window before each check; drift must also be found in the preceding window"
        " of the same length.",
    )
    min_samples: int = Field(
        100,
        ge=20,
        le=1_000_000,
        description="Minimum number of predictions per window; with fewer the result is InsufficientSamples.",
    )
    threshold: float = Field(0.5, gt=0, le=1, description="Share of drifted features that triggers a retraining.")
    any_feature: bool = Field(False, description="Retrain as soon as a single feature has drifted.")


class PerformanceCheck(Frozen):
    """Performance check; runs with the drift check (`drift.schedule`, or every 6 hours)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.below) != has(self.above)", "exactly one of below and above is needed"),
            rule(
                "has(self.above) == (self.metric in ['mae', 'rmse'])",
                "above is for mae and rmse (regression), below for accuracy, precision and recall (classification)",
            ),
            rule(
                "!has(self.above) || self.source == 'Feedback'",
                "mae and rmse need outcomes: use the source Feedback",
                ".source",
            ),
        )
    )

    metric: Literal["accuracy", "precision", "recall", "mae", "rmse"] = Field(
        "accuracy",
        description="Metric to check. Classification: accuracy, precision and recall, of more than two classes as macro"
        " averages. Regression: mae and rmse, in the unit of the target.",
    )
    below: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Retrain if the whole 95% confidence interval is below this threshold (classification).",
    )
    above: float | None = Field(
        None, gt=0, description="Retrain if the whole 95% confidence interval is above this threshold (regression)."
    )
    source: Literal["Feedback", "Estimated"] = Field(
        "Feedback",
        description="Outcomes sent to `/feedback`, or an estimate based on the predicted probabilities. Estimates"
        " do not notice a changed relation between inputs and outcome.",
    )
    window: PositiveDuration = Field("7d", description="Length of the window before each check.")
    min_samples: int = Field(
        100,
        ge=20,
        le=1_000_000,
        description="Minimum number of predictions (Feedback: outcomes) per window; with fewer the result is"
        " InsufficientSamples.",
    )


class RetrainScheduleSpec(Frozen):
    """Specification of the desired behavior."""

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

    model_name: str = Field(
        pattern=NAME_PATTERN, max_length=63, description="Name of a HeartModel in the same namespace."
    )
    schedule: Cron | None = Field(None, description="Cron schedule of the trainings; `0 3 * * 0` is Sunday at 03:00.")
    time_zone: str = Field(
        "Etc/UTC",
        pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$",
        max_length=63,
        description="IANA time zone of both cron schedules, for example `Europe/Berlin`.",
    )
    drift: DriftCheck | None = None
    performance: PerformanceCheck | None = None
    concurrency_policy: Literal["Forbid", "Replace"] = Field(
        "Forbid",
        description="What to do while a training or rollout is in progress: wait until it has finished (Forbid) or stop"
        " it (Replace).",
    )
    cooldown: Duration = Field("12h", description="Minimum time between two runs triggered by drift or performance.")
    max_runs_per_week: int = Field(
        3, ge=1, le=100, description="Maximum number of runs triggered by drift and performance within seven days."
    )
    starting_deadline_seconds: int = Field(
        3600,
        ge=10,
        le=604_800,
        description="Deadline for starting a run or check that missed its scheduled time; of several missed ones only"
        " the latest is started.",
    )
    suspend: bool = Field(False, description="Suspend the schedule; active runs continue.")
    successful_runs_history_limit: int = Field(
        3, ge=0, le=50, description="Number of successful runs kept in the status."
    )
    failed_runs_history_limit: int = Field(
        1, ge=0, le=50, description="Number of failed or missed runs kept in the status."
    )


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
