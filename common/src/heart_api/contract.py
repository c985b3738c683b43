"""The data contract: what a row looks like. Trainer, serving, documents and drift all read this one."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt, StrictStr

from heart_api.base import SHA256_PATTERN, Frozen, ShortText
from heart_api.rules import LIST_SET, rule, rules

COLUMN_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
URI_PATTERN = (
    r"^((https?|s3|gs)://[^\s/]+/[^\s]*"
    r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[^\s]+"
    r"|configmap://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-._a-zA-Z0-9]+"
    r"|builtin://[a-z0-9]([-_a-z0-9]*[a-z0-9])?/?(\?[^\s]*)?)$"
)

FeatureType = Literal["number", "integer", "category", "boolean"]
FeatureName = Annotated[str, Field(pattern=COLUMN_PATTERN, max_length=63)]
CategoryValue = StrictInt | Annotated[StrictStr, Field(max_length=63)]


class Feature(Frozen):
    """One input column.

    A row reaches the model as one float32 per feature, in the order of the contract: numbers as they are,
    booleans as 0 or 1, a category as the index of its value in `values`, a missing value as NaN.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.minimum) || !has(self.maximum) || self.minimum <= self.maximum",
                "minimum must not be greater than maximum",
                ".minimum",
            ),
            rule(
                "self.type in ['number', 'integer'] || (!has(self.minimum) && !has(self.maximum))",
                "minimum and maximum are for the types number and integer",
                ".type",
            ),
            rule("self.type != 'category' || has(self.values)", "a category needs its values", ".values"),
            rule("self.type == 'category' || !has(self.values)", "values are for the type category", ".values"),
        )
    )

    name: str = Field(pattern=COLUMN_PATTERN, max_length=63, description="Column name.")
    type: FeatureType = Field(description="Type of the values.")
    minimum: float | None = Field(None, description="Minimum value (number, integer).")
    maximum: float | None = Field(None, description="Maximum value (number, integer).")
    values: tuple[CategoryValue, ...] | None = Field(
        None,
        min_length=2,
        max_length=256,
        description="Allowed values (category).",
        json_schema_extra=LIST_SET,
    )
    unit: str | None = Field(None, max_length=63, description="Unit of measurement.")
    description: str | None = Field(None, max_length=1024, description="Human-readable description.")
    sensitive: bool = Field(False, description="Metrics are also computed per group of this feature.")
    required: bool = Field(
        True, description="The value must be present in every row; if false, missing values are imputed."
    )
    missing_values: tuple[ShortText, ...] = Field(
        (),
        max_length=16,
        description="Values of this column that mean missing, in addition to those of the dataset.",
        json_schema_extra=LIST_SET,
    )


class Target(Frozen):
    """The column to predict."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.positiveAbove) || !has(self.labels) || size(self.labels) == 2",
                "a binary target (positiveAbove) has two labels: the negative, then the positive class",
                ".labels",
            )
        )
    )

    name: str = Field(pattern=COLUMN_PATTERN, max_length=63, description="Column name.")
    positive_above: float | None = Field(
        None, description="Makes the target binary: 1 where the column is greater than this, else 0."
    )
    labels: tuple[ShortText, ...] | None = Field(
        None,
        min_length=2,
        max_length=64,
        description="Class names, in ascending order of the classes (classification).",
        json_schema_extra=LIST_SET,
    )
    unit: str | None = Field(None, max_length=63, description="Unit of measurement (regression).")
    description: str | None = Field(None, max_length=1024, description="Human-readable description.")


class Dataset(Frozen):
    """Location and format of the training data."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.format == 'csv' || !has(self.columns)", "a parquet file names its own columns", ".columns"),
            rule(
                "!(self.uri.startsWith('pvc://') && self.uri.contains('..'))",
                "a path on a volume claim may not hold `..`",
                ".uri",
            ),
        )
    )

    uri: str = Field(
        pattern=URI_PATTERN,
        max_length=2048,
        description="https://host/path, s3://bucket/key, gs://bucket/key, pvc://claim/path, configmap://name/key or"
        " builtin://name?options. The runtime profile restricts schemes and hosts.",
    )
    sha256: str | None = Field(None, pattern=SHA256_PATTERN, description="Expected SHA-256 digest of the file.")
    format: Literal["csv", "parquet"] = Field("csv", description="File format.")
    columns: tuple[ShortText, ...] | None = Field(
        None,
        min_length=1,
        max_length=513,
        description="Column names, for a file without a header.",
        json_schema_extra=LIST_SET,
    )
    missing_values: tuple[ShortText, ...] = Field(
        (), max_length=16, description="Values that mean missing.", json_schema_extra=LIST_SET
    )
    include_feedback: bool = Field(
        False,
        description="Also train on this model's predictions whose outcome was reported (prediction log in PostgreSQL).",
    )
