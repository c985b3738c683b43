"""How a model is trained: `spec.training`."""

from typing import Literal

from pydantic import ConfigDict, Field

from heart_api.base import Frozen
from heart_api.resources import Resources
from heart_api.rules import LIST_SET, rule, rules

Algorithm = Literal["logistic-regression", "ridge", "random-forest", "gradient-boosting", "stacking"]
Scoring = Literal["accuracy", "f1", "roc_auc", "pr_auc", "brier", "log_loss", "rmse", "mae", "r2"]


class Tuning(Frozen):
    """Search for settings."""

    trials: int = Field(10, ge=0, le=1000, description="Settings tried per algorithm and fold; 0: defaults only.")
    timeout_seconds: int = Field(600, ge=1, le=86400, description="Bound for the whole search.")


class CrossValidation(Frozen):
    """How estimates are made."""

    folds: int = Field(5, ge=2, le=20, description="Outer folds; each row is judged by a model that never saw it.")


class Training(Frozen):
    """How versions are trained."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.algorithms) || self.task == 'classification' || !('logistic-regression' in self.algorithms)",
                "logistic-regression is for classification; for regression name ridge",
                ".algorithms",
            ),
            rule(
                "!has(self.algorithms) || self.task == 'regression' || !('ridge' in self.algorithms)",
                "ridge is for regression; for classification name logistic-regression",
                ".algorithms",
            ),
            rule(
                "!has(self.scoring) || (self.task == 'regression') == (self.scoring in ['rmse', 'mae', 'r2'])",
                "rmse, mae and r2 are for regression, every other metric is for classification",
                ".scoring",
            ),
            rule(
                "self.task == 'classification' || self.calibration in ['auto', 'none']",
                "only probabilities (task classification) can be calibrated",
                ".calibration",
            ),
        )
    )

    task: Literal["classification", "regression"] = Field("classification", description="Kind of target.")
    algorithms: tuple[Algorithm, ...] | None = Field(
        None,
        min_length=1,
        max_length=5,
        description="Families to choose from; all that fit the task by default.",
        json_schema_extra=LIST_SET,
    )
    tuning: Tuning = Field(default=Tuning(), description="Search for settings, inside the folds.")
    cross_validation: CrossValidation = Field(default=CrossValidation(), description="How estimates are made.")
    holdout: float = Field(0, ge=0, le=0.5, description="Share of rows kept out by a stable hash, for large data.")
    scoring: Scoring | None = Field(
        None, description="Metric the search optimises; roc_auc, log_loss (multiclass) or rmse by default."
    )
    calibration: Literal["auto", "none", "sigmoid", "isotonic"] = Field(
        "auto", description="Calibration of probabilities, inside the folds."
    )
    seed: int = Field(42, ge=0, le=2147483647, description="Seed of everything random.")
    resources: Resources | None = Field(
        None, description="Requests and limits of the training pod, capped by the runtime profile."
    )
    timeout_seconds: int = Field(3600, ge=30, le=604800, description="The Job is stopped after this time.")
    backoff_limit: int = Field(2, ge=0, le=10, description="Retries of a Job that failed for a passing reason.")
