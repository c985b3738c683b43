"""Checks that a version must pass before it is rolled out: `spec.gates`."""

from typing import Literal

from pydantic import ConfigDict, Field

from heart_api.base import Frozen
from heart_api.rules import rule, rules

Metric = Literal[
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "pr_auc",
    "brier",
    "ece",
    "calibration_slope",
    "net_benefit",
    "log_loss",
    "rmse",
    "mae",
    "r2",
]


class GateCheck(Frozen):
    """A check of one metric; exactly one of min, max, maxRegression and maxGap must be set."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.min), has(self.max), has(self.maxRegression), has(self.maxGap)].filter(x, x).size() == 1",
                "a check has exactly one of min, max, maxRegression and maxGap",
            ),
            rule(
                "self.metric != 'calibration_slope' || has(self.min) || has(self.max)",
                "calibration_slope is best at 1: it can have min or max only",
                ".metric",
            ),
            rule("!has(self.maxGap) || has(self.slice)", "maxGap needs the slice that it compares", ".slice"),
            rule("has(self.maxGap) || !has(self.slice)", "slice is for maxGap", ".slice"),
        )
    )

    metric: Metric = Field(
        description="Metric to check, as estimated out of fold; the confidence interval counts as well."
    )
    min: float | None = Field(None, description="Smallest acceptable value of the metric.")
    max: float | None = Field(None, description="Largest acceptable value of the metric.")
    max_regression: float | None = Field(
        None,
        ge=0,
        description="Maximum regression compared with the serving version (paired comparison, confidence bound).",
    )
    max_gap: float | None = Field(None, ge=0, description="Maximum difference between the groups of `slice`.")
    slice: str | None = Field(None, max_length=63, description="Name of a sensitive feature (with maxGap).")


class Gates(Frozen):
    """Checks that a version must pass before it is rolled out."""

    checks: tuple[GateCheck, ...] = Field((), max_length=32, description="Checks; all of them must pass.")
    on_insufficient_evidence: Literal["Hold", "Pass"] = Field(
        "Hold", description="Action if the evaluation data do not support a verdict."
    )
    leakage: Literal["Fail", "Warn"] = Field(
        "Fail",
        description="What a suspected leak does (finding `leakage`): Fail rejects the version, Warn only reports it.",
    )
