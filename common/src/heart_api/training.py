"""How a model is trained: `spec.training`."""

import json
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from heart_api.base import NAME_PATTERN, Frozen
from heart_api.resources import Resources
from heart_api.rules import LIST_SET, UNTYPED, rule, rules

Algorithm = Literal["logistic-regression", "ridge", "random-forest", "gradient-boosting", "xgboost", "stacking"]
LINEAR = frozenset[Algorithm]({"logistic-regression", "ridge"})
"""Families that are linear in the prepared features."""
Scoring = Literal["accuracy", "f1", "roc_auc", "pr_auc", "brier", "log_loss", "rmse", "mae", "r2"]

MOST_PARAMETERS = 50
MOST_PARAMETER_BYTES = 4096
PARAMETER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def _bounded(parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Settings are handed to a program and shown to people: few, small, under plain names."""
    size = len(json.dumps(parameters).encode())
    if len(parameters) > MOST_PARAMETERS or size > MOST_PARAMETER_BYTES:
        raise ValueError(
            f"parameters: {len(parameters)} settings of {size} bytes as JSON; at most {MOST_PARAMETERS} settings of"
            f" {MOST_PARAMETER_BYTES} bytes in all are handed over"
        )
    if wrong := [name for name in parameters if not PARAMETER_NAME.fullmatch(name)]:
        raise ValueError(f"parameters: {wrong[0]!r} is not a name of letters, digits, `_`, `.` and `-`")
    return parameters


Parameters = Annotated[dict[str, JsonValue], AfterValidator(_bounded)]


class Tuning(Frozen):
    """Hyperparameter search."""

    trials: int = Field(10, ge=0, le=1000, description="Number of trials per algorithm and fold; 0: defaults only.")
    timeout_seconds: int = Field(600, ge=1, le=86400, description="Time limit for the whole search.")
    parallelism: int | None = Field(
        None,
        ge=1,
        le=21,
        description="Number of pods that share the search; the result is the same. More than folds + 1 have nothing to"
        " do. Every pod gets `resources`.",
    )


class CrossValidation(Frozen):
    """Nested cross-validation: how the out-of-fold estimates are made that the gates judge."""

    folds: int = Field(
        5,
        ge=2,
        le=20,
        description="Number of outer folds; each row is evaluated by a model that was not trained on it.",
    )


class Scale(Frozen):
    """How data larger than the pod's memory are trained on."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.workers) == (has(self.mode) && self.mode == 'Distributed')",
                "Distributed needs workers, and no other mode has any",
                ".workers",
            )
        )
    )

    mode: Literal["Auto", "Single", "External", "Distributed"] = Field(
        "Auto",
        description="Single: in memory. External: one pod, in chunks and bounded memory; a linear model, or xgboost if"
        " `algorithms` name it and no linear model. Distributed: the same on several pods. Auto: External if the"
        " dataset does not fit into the pod's memory and `algorithms` allow such a model, else Single.",
    )
    workers: int | None = Field(
        None,
        ge=2,
        le=64,
        description="Pods of a Distributed training; another number gives another, equally good model.",
    )


class Training(Frozen):
    """Training of new versions."""

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
            rule(
                "!has(self.scale) || !has(self.scale.mode) || !(self.scale.mode in ['External', 'Distributed'])"
                " || !has(self.algorithms)"
                " || self.algorithms.exists(name, name in ['logistic-regression', 'ridge', 'xgboost'])",
                "External and Distributed train logistic-regression, ridge or xgboost: name one of them",
                ".algorithms",
            ),
            rule(
                "!has(self.tuning) || !has(self.tuning.parallelism) || (!has(self.trainer)"
                " && (!has(self.scale) || !has(self.scale.mode) || self.scale.mode in ['Auto', 'Single']))",
                "only searches of HeartOps' own algorithms in memory are shared between pods",
                ".tuning",
            ),
            rule(
                "!has(self.trainer) || self.holdout > 0.0",
                "a trainer of your own is judged on rows that it never gets: set holdout, for example 0.25",
                ".holdout",
            ),
            rule(
                "!has(self.trainer) || !has(self.algorithms)",
                "algorithms are HeartOps' own: remove them, or the trainer",
                ".algorithms",
            ),
            rule(
                "!has(self.trainer) || self.calibration in ['auto', 'none']",
                "a trainer of your own calibrates its model itself",
                ".calibration",
            ),
            rule(
                "!has(self.trainer) || !has(self.scale) || !has(self.scale.mode)"
                " || !(self.scale.mode in ['External', 'Distributed'])",
                "a trainer of your own gets rows that fit into memory: set scale.mode to Auto or Single",
                ".scale",
            ),
        )
    )

    task: Literal["classification", "regression"] = Field(
        "classification",
        description="What the model predicts: one of several classes, or a number. Decides metrics and algorithms.",
    )
    algorithms: tuple[Algorithm, ...] | None = Field(
        None,
        min_length=1,
        max_length=6,
        description="Algorithms to choose from; defaults to all that support the task, but for xgboost.",
        json_schema_extra=LIST_SET,
    )
    trainer: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        max_length=63,
        description="Name of a trainer that the runtime profile approves (`trainers`), in place of HeartOps' own"
        " algorithms. It is given prepared rows and returns a model as ONNX; HeartOps judges and registers it.",
    )
    parameters: Parameters | None = Field(
        None,
        description="Settings for `trainer`, as a mapping of names to JSON values: at most 50 settings of 4096 bytes.",
        json_schema_extra=UNTYPED,
    )
    tuning: Tuning = Field(default=Tuning(), description="Hyperparameter search, run inside the folds.")
    cross_validation: CrossValidation = Field(
        default=CrossValidation(), description="Nested cross-validation, by which the gates' estimates are made."
    )
    holdout: float = Field(
        0,
        ge=0,
        le=0.5,
        description="Share of rows held out for evaluation, selected by a stable hash; for large datasets.",
    )
    scale: Scale = Field(default=Scale(), description="Data larger than the pod's memory.")
    scoring: Scoring | None = Field(
        None, description="Metric to optimize; defaults to roc_auc, log_loss (multiclass) or rmse."
    )
    calibration: Literal["auto", "none", "sigmoid", "isotonic"] = Field(
        "auto", description="Calibration of the probabilities, fitted inside the folds."
    )
    seed: int = Field(
        42,
        ge=0,
        le=2147483647,
        description="Seed of folds, searches and models: equal data and an equal spec give an equal version.",
    )
    resources: Resources | None = Field(
        None, description="Requests and limits of the training pod, capped by the runtime profile."
    )
    timeout_seconds: int = Field(3600, ge=30, le=604800, description="Time limit of the training Job.")
    backoff_limit: int = Field(
        2, ge=0, le=10, description="Number of retries of a training Job after a transient failure."
    )
