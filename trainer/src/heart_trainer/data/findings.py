"""What a file that keeps its contract still says about missing values: declared in vain, or not declared."""

from collections.abc import Iterator, Sequence

import numpy as np

from heart_api.contract import Feature
from heart_api.evaluation import Finding
from heart_table.piles import find_piles
from heart_trainer.data.contract import CheckedRows

MOST_SHOWN = 10


def missing_value_findings(rows: CheckedRows, features: Sequence[Feature]) -> tuple[Finding, ...]:
    """A finding for each of the two; none where there is nothing to say."""
    return *_unused(rows), *_undeclared(rows, features)


def _unused(rows: CheckedRows) -> Iterator[Finding]:
    if rows.unused:
        message = (
            f"no cell holds {_listed(rows.unused)}, declared in missingValues: is it written otherwise in the file? "
            "Whatever stands there instead was learnt as a value"
        )
        yield Finding(name="missing-values", verdict="Failed", message=message)


def _undeclared(rows: CheckedRows, features: Sequence[Feature]) -> Iterator[Finding]:
    piles = [text for feature in features if feature.type in ("number", "integer") for text in _piles(rows, feature)]
    if piles:
        message = (
            f"{_listed(piles)}, away from every other value: if it stands for a missing value, declare it in"
            " missingValues; if it is impossible, set minimum or maximum"
        )
        yield Finding(name="undeclared-missing-values", verdict="Failed", message=message)


def _piles(rows: CheckedRows, feature: Feature) -> Iterator[str]:
    column = rows.encoded[feature.name].to_numpy()
    known = column[~np.isnan(column)]
    values, counts = np.unique(known, return_counts=True)
    for value, count in find_piles(values.tolist(), counts.tolist()):
        yield f"{feature.name} is {value:g} in {count} of {len(column)} rows"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_SHOWN} more" if len(texts) > MOST_SHOWN else ""
    return ", ".join(texts[:MOST_SHOWN]) + more
