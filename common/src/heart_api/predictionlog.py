"""Logging of a model's predictions: `spec.serving.predictionLog`."""

from typing import Literal

from pydantic import Field

from heart_api.base import Frozen
from heart_api.contract import FeatureName
from heart_api.labels import MOST_LABELS, LabelName
from heart_api.rules import LIST_SET


class PredictionLog(Frozen):
    """Logging of predictions: what is stored, where and for how long. Changes take effect with the next version."""

    sink: Literal["PostgreSQL", "Stdout", "None"] = Field(
        "PostgreSQL",
        description="PostgreSQL: the database named in the namespace's Secret heartops-runtime; required for"
        " feedback, drift"
        " checks and live metrics. Stdout: JSON lines in the pods' logs, including features. None: no log.",
    )
    sample_percent: int = Field(
        100,
        ge=0,
        le=100,
        description="Percentage of the requests that is logged, selected by a hash of the request ID.",
    )
    redact: tuple[FeatureName, ...] = Field(
        (),
        max_length=64,
        description="Features that are not logged.",
        json_schema_extra=LIST_SET,
    )
    labels: tuple[LabelName, ...] = Field(
        (),
        max_length=MOST_LABELS,
        description="Names of labels that clients send in the header X-HeartOps-Labels (`site=hospital-01,ward=3`) and"
        " that are logged with the predictions. `kubectl heart check --where` selects by them; they are never"
        " features.",
        json_schema_extra=LIST_SET,
    )
    retention_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="Number of days after which predictions and outcomes are deleted from PostgreSQL.",
    )
