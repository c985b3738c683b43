"""Figures with 95% bootstrap intervals from cells: the metrics of heart_trainer.evaluation, rows weighted by cell.

A bootstrap over rows is a multinomial over cells; each class keeps its number of rows. Rows that repeat another one
count as rows of their own, where the row-wise bootstrap draws them together: nobody who holds sums can see them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from heart_trainer.evaluation.bootstrap import RESAMPLES
from heart_trainer.evaluation.evaluate import Measured
from heart_trainer.evaluation.metrics import NAMES, Figures, log_odds
from heart_trainer.evaluation.weighted import Replicates, binary_rates, weighted
from heart_trainer.sums.linear import Floats
from heart_trainer.sums.scores import Cells, ErrorCells


def measured(cells: Cells | ErrorCells, seed: int) -> Measured:
    """Figures and resamples; their estimates follow as those of rows do."""
    return Measured(cells, point(cells), replicate(cells, seed))


def point(cells: Cells | ErrorCells) -> Figures:
    """The metrics that the cells define, as evaluation.metrics.point has them."""
    if cells.n < 2:
        return {}
    found = figures_of(cells)
    if isinstance(cells, Cells):
        if len(np.unique(cells.y)) < 2:
            kept = ("accuracy", "brier", "recall") if cells.y.all() else ("accuracy", "brier")
            return {name: found[name] for name in kept}
        found["calibration_slope"] = _slope(cells)
    return {name: found[name] for name in NAMES[cells.task] if np.isfinite(found[name])}


def figures_of(cells: Cells | ErrorCells) -> Figures:
    """Every metric but the calibration slope, NaN where it is not defined."""
    weights = cells.weight[None].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(cells, ErrorCells):
            found = _errors(cells, weights)
        else:
            found = binary_rates(cells.y, cells.output, weights)
    return {name: float(values[0]) for name, values in found.items()}


def replicate(cells: Cells | ErrorCells, seed: int) -> Replicates:
    """Every metric under every resample."""
    return replicate_by(cells, resample(cells, seed))


def resample(cells: Cells | ErrorCells, seed: int) -> Floats:
    """[resamples, cells]: rows of each cell in as many draws with replacement as there are rows."""
    rng = np.random.default_rng(seed)
    stratum = cells.y if isinstance(cells, Cells) else np.zeros(len(cells.weight), dtype=np.int64)
    weights = np.zeros((RESAMPLES, len(cells.weight)))
    for kind in np.unique(stratum):
        own = stratum == kind
        rows = cells.weight[own]
        weights[:, own] = rng.multinomial(rows.sum(), rows / rows.sum(), RESAMPLES)
    return weights


def replicate_by(cells: Cells | ErrorCells, weights: Floats) -> Replicates:
    """The same under resamples that are given: [resamples, cells]."""
    if isinstance(cells, ErrorCells):
        return _errors(cells, weights)
    return weighted("binary", cells.y, cells.output, weights)


def _errors(cells: ErrorCells, weights: Floats) -> Replicates:
    total = weights.sum(axis=1)
    mean = {name: weights @ values / total for name, values in cells.means.items()}
    spread = mean["target_squared"] - mean["target"] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = 1 - mean["squared"] / spread
    return {"rmse": np.sqrt(mean["squared"]), "mae": mean["absolute"], "r2": r2}


def _slope(cells: Cells) -> float:
    """As metrics.calibration_slope, by the rows of each cell."""
    scores = log_odds(cells.output[:, 1])[:, None]
    model = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(scores, cells.y, sample_weight=cells.weight)
    return float(model.coef_[0, 0])


def decision_curve(cells: Cells, thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Net benefit at each threshold; exact at whole thousandths."""
    share = cells.weight / cells.n
    p, signed = cells.output[:, 1], np.where(cells.y == 1, 1.0, -1.0)
    found = []
    for threshold in thresholds:
        odds = np.where(signed > 0, 1.0, threshold / (1 - threshold))
        found.append(float((share * signed * odds)[p >= threshold].sum()))
    return np.array(found)


def reliability(cells: Cells, groups: int = 10) -> NDArray[np.float64]:
    """[groups, 3]: mean probability, observed share and rows of groups of about equal size, in ascending order."""
    order = np.argsort(cells.output[:, 1], kind="stable")
    weight, p, y = cells.weight[order], cells.output[order, 1], cells.y[order]
    group = np.minimum((np.cumsum(weight) - weight / 2) * groups // cells.n, groups - 1).astype(np.int64)
    rows = np.bincount(group, weight, groups)
    kept = rows > 0
    means = [np.bincount(group, weight * values, groups)[kept] / rows[kept] for values in (p, y)]
    return np.column_stack([*means, rows[kept]])
