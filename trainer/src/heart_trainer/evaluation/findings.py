"""Checks of the method itself. A figure that is too good is a finding, not a success."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from heart_api.contract import Feature
from heart_api.evaluation import Estimate, Finding, Verdict
from heart_trainer.evaluation.metrics import Array
from heart_trainer.values import Table

FEWEST_ROWS = 50
MANY_DUPLICATES = 0.1
TOO_GOOD = {"roc_auc": 0.99, "r2": 0.99}
"""Where the lower bound of the whole model, or one column alone, starts to be suspicious."""
PARITY = 1e-5
LEAST_FOLD_CLASS = 3


def method_findings(
    table: Table, features: tuple[Feature, ...], metrics: dict[str, Estimate], parity: float
) -> tuple[Finding, ...]:
    return leakage(table, features, metrics), duplicates(table), onnx_parity(parity)


def leakage(table: Table, features: tuple[Feature, ...], metrics: dict[str, Estimate]) -> Finding:
    """Does the model know the answer from something that it should not have?"""
    distinct = len(set(table.keys))
    if distinct < FEWEST_ROWS:
        message = f"{distinct} distinct rows are too few to tell a good model from a leak; {FEWEST_ROWS} are needed"
        return _finding("leakage", "InsufficientEvidence", message)
    suspicions = [*_too_good(metrics), *_telling_columns(table, features), *_repeats(table)]
    if suspicions:
        return _finding("leakage", "Failed", "; ".join(suspicions))
    return _finding("leakage", "Passed", "no column alone gives the target away, and no figure is too good to be true")


def _too_good(metrics: dict[str, Estimate]) -> list[str]:
    return [
        f"{name} is at least {metrics[name].low:.3f}, too good to be true: look for a column that holds the outcome, "
        "or for rows that repeat others"
        for name, bound in TOO_GOOD.items()
        if name in metrics and metrics[name].low > bound
    ]


def _telling_columns(table: Table, features: tuple[Feature, ...]) -> list[str]:
    names = [f.name for index, f in enumerate(features) if _power(table, table.x[:, [index]]) > TOO_GOOD["r2"]]
    if not names:
        return []
    return [f"{', '.join(names)} alone predicts the target almost perfectly: was it written down after the outcome?"]


def _repeats(table: Table) -> list[str]:
    share = table.duplicates / len(table)
    if share <= MANY_DUPLICATES:
        return []
    return [f"{table.duplicates} of {len(table)} rows ({share:.0%}) repeat another one: give every case once"]


def _power(table: Table, column: NDArray[np.float32]) -> float:
    """Cross-validated ROC-AUC (R² for regression) of a small tree on one column; 0 where it cannot be measured."""
    if table.task == "regression":
        predicted = cross_val_predict(
            DecisionTreeRegressor(max_depth=6, min_samples_leaf=5, random_state=0),
            column,
            table.y,
            groups=table.groups,
            cv=GroupKFold(3),
        )
        return float(r2_score(table.y, predicted))
    if np.bincount(np.asarray(table.y, dtype=np.intp)).min() < LEAST_FOLD_CLASS:
        return 0.0
    return _area(table, column)


def _area(table: Table, column: NDArray[np.float32]) -> float:
    probabilities: Array = cross_val_predict(
        DecisionTreeClassifier(max_depth=6, min_samples_leaf=5, random_state=0),
        column,
        table.y,
        groups=table.groups,
        cv=StratifiedGroupKFold(3),
        method="predict_proba",
    )
    if table.task == "binary":
        return float(roc_auc_score(table.y, probabilities[:, 1]))
    return float(roc_auc_score(table.y, probabilities, multi_class="ovr"))


def duplicates(table: Table) -> Finding:
    """Repeated rows, and equal inputs with different outcomes."""
    conflicts = _conflicting(table)
    message = f"{table.duplicates} of {len(table)} rows repeat another one (equal rows share a fold)"
    if conflicts:
        message += f"; {conflicts} rows have equal inputs and different outcomes"
    many = table.duplicates > MANY_DUPLICATES * len(table)
    return _finding("duplicates", "Failed" if many else "Passed", message)


def _conflicting(table: Table) -> int:
    """Rows of groups (equal inputs) that hold more than one outcome."""
    if table.task == "regression":
        return 0
    outcomes: dict[int, set[int]] = {}
    for group, outcome in zip(table.groups, table.y, strict=True):
        outcomes.setdefault(int(group), set()).add(int(outcome))
    return sum(len(outcomes[int(group)]) > 1 for group in table.groups)


def not_compared(version: str, why: str) -> Finding:
    """With the version that serves."""
    return _finding("comparison", "InsufficientEvidence", f"not compared with version {version}, which serves: {why}")


def onnx_parity(parity: float) -> Finding:
    verdict: Verdict = "Passed" if parity <= PARITY else "Failed"
    message = f"pipeline and ONNX model differ by at most {parity:.1e} (bound {PARITY:.0e})"
    return _finding("parity", verdict, message)


def _finding(name: str, verdict: Verdict, message: str) -> Finding:
    return Finding(name=name, verdict=verdict, message=message)
