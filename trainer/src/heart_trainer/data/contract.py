"""The data contract as a pandera schema over raw text; a broken one names rows, columns and bounds, never values."""

from collections.abc import Callable, Sequence

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from heart_api.contract import Feature, Target
from heart_trainer.data.coerce import encode, numbers
from heart_trainer.errors import DataInvalid

FIRST = 10
"""So many broken cells are named one by one; the rest is counted."""


def validate(raw: pd.DataFrame, features: Sequence[Feature], target: Target) -> None:
    """`raw`: text, None for missing. Raises DataInvalid with the first broken cells and how many there are."""
    absent = [name for name in (*(f.name for f in features), target.name) if name not in raw.columns]
    if absent:
        raise DataInvalid(
            f"The file has no column called {', '.join(absent)}. It has: {', '.join(map(str, raw.columns[:40]))}."
        )
    try:
        schema(features, target).validate(raw.reset_index(drop=True), lazy=True)
    except pandera.errors.SchemaErrors as error:
        raise DataInvalid(_message(error.failure_cases)) from None


def schema(features: Sequence[Feature], target: Target) -> pa.DataFrameSchema:
    """Columns that the contract does not name are allowed, and ignored."""
    columns = {f.name: pa.Column(object, _checks(f), nullable=not f.required) for f in features}
    checks = [pa.Check(lambda texts: numbers(texts).notna(), name="is not a number")]
    columns[target.name] = pa.Column(object, checks if target.positive_above is not None else None, nullable=False)
    return pa.DataFrameSchema(columns)


def _checks(feature: Feature) -> list[pa.Check]:
    checks = [pa.Check(_of_type(feature), name=_type_broken(feature))]
    if feature.minimum is not None:
        least = feature.minimum
        checks.append(pa.Check(_number(lambda v: v >= least), name=f"is below the minimum {least:g}"))
    if feature.maximum is not None:
        most = feature.maximum
        checks.append(pa.Check(_number(lambda v: v <= most), name=f"is above the maximum {most:g}"))
    return checks


def _of_type(feature: Feature) -> Callable[[pd.Series], pd.Series]:
    return lambda texts: encode(texts, feature).notna()


def _number(bound: Callable[[pd.Series], pd.Series]) -> Callable[[pd.Series], pd.Series]:
    """A bound on numbers; what is no number has been said already."""

    def check(texts: pd.Series) -> pd.Series:
        values = numbers(texts)
        return bound(values) | values.isna()

    return check


def _type_broken(feature: Feature) -> str:
    if feature.type == "category":
        allowed = [str(value) for value in feature.values or ()]
        return f"is none of {', '.join(allowed[:20])}{' …' if len(allowed) > 20 else ''}"
    return {
        "number": "is not a number",
        "integer": "is not a whole number",
        "boolean": "is neither 0/1 nor true/false",
    }[feature.type]


def _message(failures: pd.DataFrame) -> str:
    broken = failures.sort_values(["index", "column"], kind="stable")
    first = [_one(row.index, row.column, row.check) for row in _named(broken.head(FIRST))]
    columns = ", ".join(f"{name} ({count})" for name, count in failures["column"].value_counts(sort=False).items())
    more = f"; and {len(failures) - FIRST} more" if len(failures) > FIRST else ""
    return (
        f"{len(failures)} cells in {failures['index'].nunique()} rows break the data contract. By column: {columns}. "
        f"{'; '.join(first)}{more}. Rows count from 1, after a header. Mend the file, or the contract in spec.features."
    )


def _named(frame: pd.DataFrame) -> Sequence["_Failure"]:
    return [_Failure(*values) for values in frame[["index", "column", "check"]].itertuples(index=False, name=None)]


def _one(index: int, column: str, check: str) -> str:
    return f"row {int(index) + 1}: {column} {'is missing' if check == 'not_nullable' else check}"


class _Failure:
    """One broken cell."""

    def __init__(self, index: int, column: str, check: str) -> None:
        self.index, self.column, self.check = index, column, check
