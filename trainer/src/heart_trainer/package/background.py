"""Background rows for explanations: what a record is compared with. No patient's row leaves in the artifact."""

import numpy as np
from numpy.typing import NDArray

from heart_trainer.package.reference_rows import FEW

ROWS = 64
"""On the heart data, contributions measured from so many made-up rows are nearer to those from all training rows than
contributions from as many, or twice as many, of the training rows themselves (docs/decisions/0007)."""

Rows = tuple[tuple[float | None, ...], ...]


def background_rows(x: NDArray[np.float32]) -> Rows:
    """[rows, features] → 64 rows; each column has its own quantiles and share of missing values, shuffled by itself."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.permutation(_spread(column)) for column in x.T])
    return tuple(tuple(None if np.isnan(value) else float(f"{value:.6g}") for value in row) for row in rows)


def _spread(column: NDArray[np.float32]) -> NDArray[np.float64]:
    known = column[~np.isnan(column)].astype(np.float64)
    count = round(ROWS * len(known) / len(column))
    if not count:
        return np.full(ROWS, np.nan)
    # A column of few values holds codes: between two of them there is nothing.
    few = len(np.unique(known)) <= FEW
    quantiles = np.quantile(known, (np.arange(count) + 0.5) / count, method="inverted_cdf" if few else "linear")
    return np.append(quantiles, np.full(ROWS - count, np.nan))
