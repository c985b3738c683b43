"""What becomes of the predictions that a model makes: `spec.serving.predictionLog`."""

from typing import Literal

from pydantic import Field

from heart_api.base import Frozen
from heart_api.contract import FeatureName
from heart_api.rules import LIST_SET


class PredictionLog(Frozen):
    """What is remembered of each prediction, where and for how long. Counts for the pods of the next version."""

    sink: Literal["PostgreSQL", "Stdout", "None"] = Field(
        "PostgreSQL",
        description="PostgreSQL: the database that the namespace's Secret heartops-runtime names; feedback, drift"
        " checks and live quality need it. Stdout: JSON lines in the pods' logs, features included. None: nothing.",
    )
    sample_percent: int = Field(
        100, ge=0, le=100, description="Share of requests that is logged, chosen by a hash of the request's id."
    )
    redact: tuple[FeatureName, ...] = Field(
        (),
        max_length=64,
        description="Features that the log does not get to see.",
        json_schema_extra=LIST_SET,
    )
    retention_days: int = Field(
        90, ge=1, le=3650, description="Predictions and outcomes in PostgreSQL are deleted after so many days."
    )
