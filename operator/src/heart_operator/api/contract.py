"""The data contract: what a row looks like. Trainer, serving, documents and drift all read this one."""

from typing import Literal

from pydantic import Field

from heart_operator.api.base import SHA256_PATTERN, Frozen

FeatureType = Literal["number", "integer", "category", "boolean"]
Scalar = bool | int | float | str


class Feature(Frozen):
    """One input column.

    A row reaches the model as one float32 per feature, in the order of the contract: numbers as they are,
    booleans as 0 or 1, a category as the index of its value in `values`, a missing value as NaN.
    """

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=63, description="Column name.")
    type: FeatureType = Field(description="Kind of value.")
    minimum: float | None = Field(None, description="Least value allowed (number, integer).")
    maximum: float | None = Field(None, description="Greatest value allowed (number, integer).")
    values: tuple[int | str, ...] | None = Field(
        None, min_length=2, max_length=256, description="Every value allowed (category)."
    )
    unit: str | None = Field(None, max_length=63, description="Unit of measurement, for people.")
    description: str | None = Field(None, max_length=1024, description="What it means, for people.")
    sensitive: bool = Field(False, description="Quality is also measured for each group of this feature.")
    required: bool = Field(True, description="Must be present in every row; when false, a missing value is imputed.")
    missing_values: tuple[str, ...] = Field(
        (), max_length=16, description="Spellings of «missing» in this column, besides the dataset's."
    )


class Target(Frozen):
    """The column to predict."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=63, description="Column name.")
    positive_above: float | None = Field(
        None, description="Makes the target binary: 1 where the column is greater than this, else 0."
    )
    labels: tuple[str, ...] | None = Field(
        None,
        min_length=2,
        max_length=64,
        description="Name of each class, in ascending order of the classes.",
    )
    unit: str | None = Field(None, max_length=63, description="Unit of measurement (regression).")
    description: str | None = Field(None, max_length=1024, description="What it means, for people.")


class Dataset(Frozen):
    """Where the rows are and how the file is read."""

    uri: str = Field(
        pattern=r"^(https?|s3|gs|pvc|configmap|builtin)://[^\s]+$",
        max_length=2048,
        description="https, s3, gs, pvc://claim/path, configmap://name/key or builtin://name?options.",
    )
    sha256: str | None = Field(None, pattern=SHA256_PATTERN, description="Digest that the file must have.")
    format: Literal["csv", "parquet"] = Field("csv", description="File format.")
    columns: tuple[str, ...] | None = Field(
        None, min_length=1, max_length=513, description="Column names of a file without a header."
    )
    missing_values: tuple[str, ...] = Field((), max_length=16, description="Spellings of «missing».")
