"""What a version must fulfil before it serves: `spec.gates`."""

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
    """One demand on a version; exactly one of min, max, maxRegression and maxGap."""

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

    metric: Metric = Field(description="Metric of the evaluation.")
    min: float | None = Field(None, description="Least value.")
    max: float | None = Field(None, description="Greatest value.")
    max_regression: float | None = Field(
        None, ge=0, description="How much worse than the serving version it may be (paired, confidence bound)."
    )
    max_gap: float | None = Field(None, ge=0, description="Greatest difference between groups of `slice`.")
    slice: str | None = Field(None, max_length=63, description="A sensitive feature (with maxGap).")


class Gates(Frozen):
    """What a version must fulfil before it serves."""

    checks: tuple[GateCheck, ...] = Field((), max_length=32, description="Every one must pass.")
    on_insufficient_evidence: Literal["Hold", "Pass"] = Field(
        "Hold", description="What to do when the data cannot support a verdict."
    )
    leakage: Literal["Fail", "Warn"] = Field(
        "Fail",
        description="What a suspected leak does (finding `leakage`): Fail rejects the version, Warn only reports it.",
    )
