"""The data contract: the columns of a row. Training, serving, OpenAPI documents and drift checks share it."""

import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from heart_api.base import SHA256_PATTERN, Frozen, ShortText
from heart_api.rules import LIST_SET, UNTYPED, rule, rules

COLUMN_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
URI_PATTERN = (
    r"^((https?|s3|gs)://[^\s/]+/[^\s]*"
    r"|dvc\+https?://[^\s/]+/[^\s#]+#[^\s]+"
    r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[^\s]+"
    r"|configmap://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-._a-zA-Z0-9]+"
    r"|builtin://[a-z0-9]([-_a-z0-9]*[a-z0-9])?/?(\?[^\s]*)?)$"
)

FeatureType = Literal["number", "integer", "category", "boolean"]
FeatureName = Annotated[str, Field(pattern=COLUMN_PATTERN, max_length=63)]
CategoryValue = StrictInt | Annotated[StrictStr, Field(max_length=63)]
FileColumn = Annotated[str, Field(min_length=1, max_length=128)]
"""A column's name in the file, whatever it is made of."""
Precision = Literal[16, 32, 64, "bfloat16"]
"""Bits of the floating-point numbers in which a value came, or their name."""


def number_as_text(value: Any) -> Any:
    """`missingValues: [-9]` means `["-9"]`: how a number is written in the resource makes no difference."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


MissingValue = Annotated[
    str,
    Field(max_length=63),
    BeforeValidator(number_as_text),
    Field(json_schema_extra={"x-kubernetes-int-or-string": True}),
]


def at_precision(bound: float, precision: Precision) -> float:
    """A contract's bound as the nearest number of that precision, so that 130.1 as float32 is not above 130.1.

    A bound that is too large for the precision becomes infinite: no value of that precision can break it.
    """
    if precision == 64:
        return bound
    if precision == "bfloat16":
        return _as_bfloat16(bound)
    form = "<e" if precision == 16 else "<f"
    try:
        return float(struct.unpack(form, struct.pack(form, bound))[0])
    except OverflowError:
        return float("inf") if bound > 0 else float("-inf")


def _as_bfloat16(bound: float) -> float:
    """The upper half of a float32, rounded to nearest, ties to even."""
    single = at_precision(bound, 32)
    if single in (float("inf"), float("-inf")):
        return single
    (bits,) = struct.unpack("<I", struct.pack("<f", single))
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return float(struct.unpack("<f", struct.pack("<I", rounded))[0])


def at_bound(feature: "Feature", value: float, precision: Precision) -> float:
    """`value`, or the bound of the feature that it is at its precision: 130.10000610351562 in float32 is 130.1."""
    low, high = feature.minimum, feature.maximum
    if high is not None and value > high and at_precision(value, precision) == at_precision(high, precision):
        return high
    if low is not None and value < low and at_precision(value, precision) == at_precision(low, precision):
        return low
    return value


ClassValue = StrictBool | StrictInt | Annotated[StrictStr, Field(min_length=1, max_length=63)]
MAX_CLASSES = 64


def _keyed_by_text(labels: Any) -> Any:
    """YAML reads the keys of `{0: no, 1: yes}` as numbers, and those of `{true: yes}` as booleans; JSON has text."""
    if not isinstance(labels, dict):
        return labels
    return {str(key).lower() if isinstance(key, bool) else str(key): label for key, label in labels.items()}


LabelList = Annotated[tuple[ShortText, ...], Field(min_length=2, max_length=MAX_CLASSES)]
LabelMapping = Annotated[dict[ShortText, ShortText], Field(min_length=2, max_length=MAX_CLASSES)]


def number_and_text(values: Sequence[int | str]) -> list[int]:
    """Numbers among the values that are there as text as well."""
    texts = {value for value in values if isinstance(value, str)}
    return [value for value in values if isinstance(value, int) and str(value) in texts]


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
            rule("self.type == 'category' || !has(self.codes)", "codes are for the type category", ".codes"),
            rule(
                "!has(self.codes) || !has(self.values) || self.codes.all(name, self.codes[name] in self.values)",
                "codes must name values of the feature",
                ".codes",
            ),
            rule(
                "!has(self.codes) || !has(self.values) || self.codes.all(name, !(name in self.values))",
                "a name in codes must not itself be one of the values",
                ".codes",
            ),
            rule(
                "!has(self.codes) || !('true' in self.codes || 'false' in self.codes)",
                'true and false are no names: quote "yes" and "no", which YAML reads as true and false',
                ".codes",
            ),
        )
    )

    name: str = Field(
        pattern=COLUMN_PATTERN, max_length=63, description="Feature name, as used in requests, responses and reports."
    )
    column: FileColumn | None = Field(None, description="Column of the file, where its name differs from `name`.")
    type: FeatureType = Field(
        description="Type of the values; it decides which bounds apply and how a value reaches the model."
    )
    minimum: float | None = Field(
        None, description="Smallest valid value (number, integer); a smaller one is rejected in training and serving."
    )
    maximum: float | None = Field(
        None, description="Largest valid value (number, integer); a larger one is rejected in training and serving."
    )
    values: tuple[CategoryValue, ...] | None = Field(
        None,
        min_length=2,
        max_length=256,
        description="Allowed values (category).",
        json_schema_extra=LIST_SET,
    )
    codes: dict[str, CategoryValue] | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Names that clients may send in place of values (category), such as `asymptomatic: 0`.",
    )
    unit: str | None = Field(
        None, max_length=63, description="Unit of measurement, shown in error messages, reports and `/docs`."
    )
    description: str | None = Field(None, max_length=1024, description="Human-readable description.")
    sensitive: bool = Field(False, description="Metrics are also computed per group of this feature.")
    required: bool = Field(
        True, description="True if every row must have a value; otherwise missing values are imputed."
    )
    missing_values: tuple[MissingValue, ...] = Field(
        (),
        max_length=16,
        description="Values of this column that mean missing, in addition to those of the dataset.",
        json_schema_extra=LIST_SET,
    )

    @model_validator(mode="after")
    def _codes_name_values(self) -> Self:
        codes, values = self.codes or {}, self.values or ()
        if unknown := [name for name, value in codes.items() if value not in values]:
            raise ValueError(f"codes must name values of the feature: {unknown[0]!r} does not")
        if taken := [name for name in codes if name in values]:
            raise ValueError(f"a name in codes must not itself be one of the values: {taken[0]!r} is")
        return self

    @model_validator(mode="after")
    def _values_are_told_apart(self) -> Self:
        """A cell of a CSV does not say whether it is the number or the text."""
        if both := number_and_text(self.values or ()):
            raise ValueError(f"values: {both[0]} is there as a number and as text; keep one of the two")
        return self

    @property
    def file_column(self) -> str:
        """The column's name in the file."""
        return self.column or self.name


class Target(Frozen):
    """The column to predict: its name, how it becomes classes, and what they are called."""

    name: str = Field(pattern=COLUMN_PATTERN, max_length=63, description="Name of the target in responses and reports.")
    column: FileColumn | None = Field(None, description="Column of the file, where its name differs from `name`.")
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
    unit: str | None = Field(
        None,
        max_length=63,
        description="Unit of measurement of the target (regression), shown with errors and predictions.",
    )
    description: str | None = Field(None, max_length=1024, description="Human-readable description.")

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

    @property
    def file_column(self) -> str:
        """The column's name in the file."""
        return self.column or self.name


class Csv(Frozen):
    """How a text file is read; what is not given is detected, and doubt ends the training."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.separator) || !has(self.decimal) || self.separator != self.decimal",
                "separator and decimal must differ",
                ".separator",
            )
        )
    )

    separator: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="Separator between cells; a space means any run of spaces and tabs.",
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="Character that separates the fraction of a number; detected by default."
    )
    quote: str | None = Field(None, min_length=1, max_length=1, description='Quote character; defaults to `"`.')
    encoding: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        max_length=32,
        description="Character encoding, for example utf-8, utf-16, latin-1 or cp1252.",
    )
    comment: str | None = Field(
        None, min_length=1, max_length=1, description="Lines starting with this character are skipped."
    )
    skip_rows: int | None = Field(
        None, ge=0, le=1000, description="Number of lines to skip before the header (or the first row)."
    )


class Dataset(Frozen):
    """Location and format of the training data."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.format == 'csv' || !has(self.columns)", "a parquet file names its own columns", ".columns"),
            rule("self.format == 'csv' || !has(self.csv)", "csv is for the format csv", ".csv"),
            rule(
                "!has(self.header) || self.header || has(self.columns)",
                "a file without a header needs columns, the names of its columns",
                ".columns",
            ),
            rule(
                "!(self.uri.startsWith('pvc://') && self.uri.contains('..'))",
                "a path on a volume claim may not hold `..`",
                ".uri",
            ),
            rule("!has(self.rev) || self.uri.startsWith('dvc+')", "rev is for dvc+https addresses", ".rev"),
            rule(
                "self.format == 'parquet' || !self.uri.endsWith('/') || !(self.uri.startsWith('pvc://')"
                " || self.uri.startsWith('s3://') || self.uri.startsWith('gs://'))",
                "an address that ends in / names Parquet files: set format to parquet",
                ".format",
            ),
        )
    )

    uri: str = Field(
        pattern=URI_PATTERN,
        max_length=2048,
        description="https://host/path, s3://bucket/key, gs://bucket/key, pvc://claim/path, configmap://name/key or"
        " builtin://name?options; dvc+https://host/repo.git#path for a file that DVC tracks."
        " A pvc, s3 or gs address that ends in / means all Parquet files below it."
        " The runtime profile restricts schemes and hosts.",
    )
    rev: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$",
        max_length=100,
        description="Branch, tag or commit of the Git repository of a dvc+https address; by default its HEAD.",
    )
    sha256: str | None = Field(None, pattern=SHA256_PATTERN, description="Expected SHA-256 digest of the file.")
    format: Literal["csv", "parquet"] = Field(
        "csv", description="Format of the file: delimited text (csv) or Apache Parquet."
    )
    columns: tuple[ShortText, ...] | None = Field(
        None,
        min_length=1,
        max_length=513,
        description="Column names, for a file without a header or in place of its header.",
        json_schema_extra=LIST_SET,
    )
    header: bool | None = Field(
        None,
        description="True if the file starts with a header. By default it does, unless `columns` are given and its"
        " first line fits the contract.",
    )
    csv: Csv | None = Field(None, description="Format of a text file, where detection is not sufficient.")
    missing_values: tuple[MissingValue, ...] = Field(
        (),
        max_length=16,
        description="Values that mean missing in every column. Numbers are compared as numbers: -9 is also -9.0.",
        json_schema_extra=LIST_SET,
    )
    include_feedback: bool = Field(
        False,
        description="Also train on this model's predictions whose outcome was reported (prediction log, PostgreSQL).",
    )

    @property
    def is_in_dvc(self) -> bool:
        """Whether it takes DVC's library to find the file."""
        return self.uri.startswith("dvc+")
