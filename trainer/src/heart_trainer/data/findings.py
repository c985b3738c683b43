"""What is suspicious about a file that keeps its contract: missing values, and numbers too fine for float32."""

from collections.abc import Iterator, Sequence

import numpy as np

from heart_api.contract import Feature
from heart_api.evaluation import Finding
from heart_table.sentinels import find_sentinels
from heart_trainer.data.contract import CheckedRows

MOST_SHOWN = 10
NUMERIC = ("number", "integer")
LEAST_STEPS = 1000
"""So many steps of float32 must make up one standard deviation of a column."""


def file_findings(rows: CheckedRows, features: Sequence[Feature]) -> tuple[Finding, ...]:
    """Return at most one finding of each kind; none where there is nothing to report."""
    return *_unused(rows), *_undeclared(rows, features), *_too_fine(rows, features)


def _unused(rows: CheckedRows) -> Iterator[Finding]:
    if rows.unused:
        message = (
            f"no cell holds {_listed(rows.unused)}, declared in missingValues: is it written otherwise in the file? "
            "Whatever stands there instead was learnt as a value"
        )
        yield Finding(name="missing-values", verdict="Failed", message=message)


def _undeclared(rows: CheckedRows, features: Sequence[Feature]) -> Iterator[Finding]:
    sentinels = [text for feature in features if feature.type in NUMERIC for text in _sentinels(rows, feature)]
    if sentinels:
        message = (
            f"{_listed(sentinels)}, away from every other value: if it stands for a missing value, declare it in"
            " missingValues; if it is impossible, set minimum or maximum"
        )
        yield Finding(name="undeclared-missing-values", verdict="Failed", message=message)


def _too_fine(rows: CheckedRows, features: Sequence[Feature]) -> Iterator[Finding]:
    """Rows reach a model as float32: of a Unix timestamp it sees steps of two minutes."""
    found = [text for feature in features if feature.type in NUMERIC and (text := _steps(rows, feature))]
    if found:
        message = (
            f"{_listed(found)}: rows reach the model as float32, where nearer values are one. Subtract a constant from"
            " the column, or split it"
        )
        yield Finding(name="precision", verdict="Failed", message=message)


def _steps(rows: CheckedRows, feature: Feature) -> str:
    column = rows.encoded[feature.name].to_numpy()
    known = column[~np.isnan(column)]
    if not len(known) or (known == known[0]).all():
        return ""
    step, spread = float(np.spacing(np.float32(np.abs(known).max()))), float(np.std(known))
    if step * LEAST_STEPS <= spread or (known == known.astype(np.float32)).all():
        return ""
    return f"{feature.name} has a standard deviation of {spread:.2g} and steps of {step:.2g}"


def _sentinels(rows: CheckedRows, feature: Feature) -> Iterator[str]:
    column = rows.encoded[feature.name].to_numpy()
    known = column[~np.isnan(column)]
    values, counts = np.unique(known, return_counts=True)
    for value, count in find_sentinels(values.tolist(), counts.tolist()):
        yield f"{feature.name} is {value:g} in {count} of {len(column)} rows"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_SHOWN} more" if len(texts) > MOST_SHOWN else ""
    return ", ".join(texts[:MOST_SHOWN]) + more
