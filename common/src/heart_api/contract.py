"""The data contract: what a row looks like. Trainer, serving, documents and drift all read this one."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from heart_api.base import SHA256_PATTERN, Frozen, ShortText
from heart_api.rules import LIST_SET, UNTYPED, rule, rules

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
ClassValue = StrictBool | StrictInt | Annotated[StrictStr, Field(min_length=1, max_length=63)]
MAX_CLASSES = 64


def _keyed_by_text(labels: Any) -> Any:
    """YAML reads the keys of `{0: no, 1: yes}` as numbers, and those of `{true: yes}` as booleans; JSON has text."""
    if not isinstance(labels, dict):
        return labels
    return {str(key).lower() if isinstance(key, bool) else str(key): label for key, label in labels.items()}


LabelList = Annotated[tuple[ShortText, ...], Field(min_length=2, max_length=MAX_CLASSES)]
LabelMapping = Annotated[dict[ShortText, ShortText], Field(min_length=2, max_length=MAX_CLASSES)]


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
    type: FeatureType = Field(description="Kind of value.")
    minimum: float | None = Field(None, description="Least value allowed (number, integer).")
    maximum: float | None = Field(None, description="Greatest value allowed (number, integer).")
    values: tuple[CategoryValue, ...] | None = Field(
        None,
        min_length=2,
        max_length=256,
        description="Every value allowed (category).",
        json_schema_extra=LIST_SET,
    )
    unit: str | None = Field(None, max_length=63, description="Unit of measurement, for people.")
    description: str | None = Field(None, max_length=1024, description="What it means, for people.")
    sensitive: bool = Field(False, description="Quality is also measured for each group of this feature.")
    required: bool = Field(True, description="Must be present in every row; when false, a missing value is imputed.")
    missing_values: tuple[ShortText, ...] = Field(
        (),
        max_length=16,
        description="Spellings of «missing» in this column, besides the dataset's.",
        json_schema_extra=LIST_SET,
    )


class Target(Frozen):
    """The column to predict."""

    name: str = Field(pattern=COLUMN_PATTERN, max_length=63, description="Column name.")
    positive_above: float | None = Field(
        None, description="Makes the target binary: 1 where the column is greater than this, else 0."
    )
    positive: ClassValue | None = Field(
        None,
        description="Value of the column (number, text, true or false) that is the positive class of two.",
        json_schema_extra=UNTYPED,
    )
    labels: Annotated[LabelList | LabelMapping | None, BeforeValidator(_keyed_by_text)] = Field(
        None,
        description="Name of each class: by value, as `{0: no disease, 1: disease}`, or a list in ascending order of"
        " numbers (with positiveAbove: negative, positive). A list of a text column's own values sets their order:"
        " the last of two is the positive class.",
        json_schema_extra=UNTYPED,
    )
    unit: str | None = Field(None, max_length=63, description="Unit of measurement (regression).")
    description: str | None = Field(None, max_length=1024, description="What it means, for people.")

    @model_validator(mode="after")
    def _classes_are_told_apart(self) -> Self:
        """What CEL cannot check in fields without a type."""
        names = list(self.labels.values() if isinstance(self.labels, dict) else self.labels or ())
        if len(set(names)) < len(names):
            raise ValueError("labels: two classes have the same name; give each its own")
        if self.positive_above is not None and len(names) not in (0, 2):
            raise ValueError(
                "labels: a binary target (positiveAbove) has two labels: the negative, then the positive class"
            )
        if self.positive_above is not None and self.positive is not None:
            raise ValueError("positive: positiveAbove already says which class is positive; remove one of the two")
        return self


class Dataset(Frozen):
    """Where the rows are and how the file is read."""

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
        " builtin://name?options. The runtime profile says which schemes and hosts are allowed.",
    )
    sha256: str | None = Field(None, pattern=SHA256_PATTERN, description="Digest that the file must have.")
    format: Literal["csv", "parquet"] = Field("csv", description="File format.")
    columns: tuple[ShortText, ...] | None = Field(
        None,
        min_length=1,
        max_length=513,
        description="Column names of a file without a header.",
        json_schema_extra=LIST_SET,
    )
    missing_values: tuple[ShortText, ...] = Field(
        (), max_length=16, description="Spellings of «missing».", json_schema_extra=LIST_SET
    )
    include_feedback: bool = Field(
        False,
        description="Also learn from this model's predictions whose outcome was reported (prediction log, PostgreSQL).",
    )
