"""Which families can be served at all: tried on small models before the search spends its time on them."""

from collections.abc import Sequence

import numpy as np

from heart_api.evaluation import Finding
from heart_api.training import Algorithm
from heart_trainer.errors import ExportFailed
from heart_trainer.fit import families
from heart_trainer.fit.families import Setting
from heart_trainer.fit.onnx_export import check_export
from heart_trainer.fit.search import fit_one
from heart_trainer.values import Integers, Table

ROWS = 2000
SMALL = {"random-forest": {"n_estimators": 10}, "gradient-boosting": {"max_iter": 10}, "xgboost": {"n_estimators": 10}}


def exportable(
    table: Table, rows: Integers, algorithms: Sequence[Algorithm], setting: Setting
) -> tuple[tuple[Algorithm, ...], tuple[Finding, ...]]:
    """The families whose ONNX form agrees with scikit-learn on these rows, and a finding for each of the others.

    Raises ExportFailed when none is left.
    """
    if len(rows) > ROWS:
        rows = np.sort(np.random.default_rng(setting.seed).choice(rows, ROWS, replace=False))
    failures = {name: _failure(table, rows, name, setting) for name in algorithms}
    kept = tuple(name for name, failure in failures.items() if not failure)
    if not kept:
        raise ExportFailed("; ".join(dict.fromkeys(f"{name}: {why}" for name, why in failures.items())))
    return kept, tuple(_left_out(name, why) for name, why in failures.items() if why)


def _failure(table: Table, rows: Integers, algorithm: Algorithm, setting: Setting) -> str:
    """Why the family cannot be exported; empty when it can."""
    params = families.defaults(algorithm) | SMALL.get(algorithm, {})
    if algorithm == "stacking":
        params = {name: families.defaults(name) | SMALL.get(name, {}) for name in families.members(setting.regression)}
    model = fit_one(algorithm, params, setting, table.x[rows], table.y[rows])
    try:
        check_export(model, table, rows, setting.seed)
    except ExportFailed as failed:
        return failed.message
    return ""


def _left_out(algorithm: str, why: str) -> Finding:
    message = f"{algorithm} was left out of the search: {why}"
    return Finding(name="export", verdict="InsufficientEvidence", message=message)
