"""Does the model know the answer from something that it should not have?

A high figure alone proves nothing: iris or banknotes are that easy. What counts is a second sign: one column that
gives the target away, or (a version from outside) a figure that no model reaches which has not seen the rows.
Looks at a bounded sample of rows, so that the cost grows with the features alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from heart_api.contract import Feature
from heart_api.evaluation import Estimate, Finding
from heart_trainer.values import Integers, Table

FEWEST_ROWS = 50
TOO_GOOD = {"roc_auc": 0.99, "r2": 0.99}
"""Where one column alone, or a version from outside, starts to be suspicious."""
ROWS = 10_000
FOLDS = 3
LEAST_FOLD_CLASS = 3
TREE = {"max_depth": 6, "min_samples_leaf": 5, "random_state": 0}
"""Of the model of one column: deep enough for any threshold, and no leaf for a single row."""
FOREST = {"n_estimators": 50, "min_samples_leaf": 3, "random_state": 0}
"""Of the plain model: what nobody has tuned."""
ALLOWED = "If it is known before the outcome, allow it with spec.gates.leakage: Warn"


def leakage(table: Table, features: tuple[Feature, ...], metrics: dict[str, Estimate]) -> Finding:
    """Of a training, whose figures are out of fold: Failed where one column alone gives the target away."""
    if too_few := _too_few(table):
        return too_few
    if telling := _telling_columns(table, features):
        return Finding(name="leakage", verdict="Failed", message=telling)
    high = [f"{name} is at least {metrics[name].low:.3f}" for name in TOO_GOOD if _is_high(metrics, name)]
    remark = f" ({' and '.join(high)}: check that every column is known before the outcome)" if high else ""
    return Finding(name="leakage", verdict="Passed", message=f"no column alone gives the target away{remark}")


def learnt_rows(table: Table, features: tuple[Feature, ...], metrics: dict[str, Estimate], advice: str) -> Finding:
    """The same of a version that may have learnt the rows that it is measured on; `advice` says what to do then.

    Here the estimate counts, not its lower bound: more rows known by heart would prove no more.
    """
    found = leakage(table, features, metrics)
    reasons = [found.message] if found.verdict == "Failed" else []
    high = [name for name, bound in TOO_GOOD.items() if name in metrics and metrics[name].estimate > bound]
    if high and found.verdict != "InsufficientEvidence":
        honest = honest_figure(table)
        reasons += [
            f"{name} {metrics[name].estimate:.3f} is too good to be true: plain models that have not seen the rows "
            f"reach {honest:.3f}; {advice}"
            for name in high
            if honest < TOO_GOOD[name]
        ]
    return Finding(name="leakage", verdict="Failed", message="; ".join(reasons)) if reasons else found


def honest_figure(table: Table) -> float:
    """ROC-AUC (R² for regression) of the better of two plain models, on rows that they have not seen."""
    rows = _sample(table)
    linear, forest = (
        (Ridge(), RandomForestRegressor(**FOREST))
        if table.task == "regression"
        else (LogisticRegression(max_iter=500), RandomForestClassifier(**FOREST))
    )
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    models = [make_pipeline(impute, StandardScaler(), linear), forest]
    return max(_figure(table, rows, table.x[rows], model) for model in models)


def _too_few(table: Table) -> Finding | None:
    distinct = len(np.unique(table.groups))
    if distinct >= FEWEST_ROWS:
        return None
    message = f"{distinct} distinct rows are too few to tell a good model from a leak; {FEWEST_ROWS} are needed"
    return Finding(name="leakage", verdict="InsufficientEvidence", message=message)


def _is_high(metrics: dict[str, Estimate], name: str) -> bool:
    return name in metrics and metrics[name].low > TOO_GOOD[name]


def _telling_columns(table: Table, features: tuple[Feature, ...]) -> str:
    return given_away(list(telling(table, features)))


def given_away(names: Sequence[str]) -> str:
    """A sentence about columns that give the target away; empty where there are none."""
    if not names:
        return ""
    return (
        f"{', '.join(names)} alone predicts the target almost perfectly: was it written down after the outcome? "
        f"{ALLOWED}"
    )


def telling(table: Table, features: tuple[Feature, ...]) -> Iterator[str]:
    """Columns that alone give the target away."""
    rows = _sample(table)
    if table.task != "regression" and np.bincount(_classes(table, rows)).min() < LEAST_FOLD_CLASS:
        return
    kind = DecisionTreeRegressor if table.task == "regression" else DecisionTreeClassifier
    tree = kind(**TREE)
    for index, feature in enumerate(features):
        if _figure(table, rows, table.x[rows][:, [index]], tree) > TOO_GOOD["r2"]:
            yield feature.name


def _figure(table: Table, rows: Integers, x: NDArray[np.float32], model: object) -> float:
    """Cross-validated ROC-AUC or R² of a model on `x`, the columns of `rows` that it may see."""
    y, fold = table.y[rows], _folds(table, rows)
    output = np.zeros((len(rows), max(1, len(table.classes))))
    for k in range(FOLDS):
        inside, outside = fold != k, fold == k
        fitted = model.fit(x[inside], y[inside])  # type: ignore[attr-defined]
        if table.task == "regression":
            output[outside, 0] = fitted.predict(x[outside])
        else:
            output[np.ix_(outside, fitted.classes_)] = fitted.predict_proba(x[outside])
    if table.task == "regression":
        return float(r2_score(y, output[:, 0]))
    return float(roc_auc_score(y, output[:, 1] if table.task == "binary" else output, multi_class="ovr"))


def _sample(table: Table) -> Integers:
    """Indices of at most ROWS rows, as many of each class as there are or as its share allows."""
    rng = np.random.default_rng(0)
    everything = np.arange(len(table))
    if len(table) <= ROWS:
        return everything
    if table.task == "regression":
        return np.sort(rng.choice(everything, ROWS, replace=False))
    share = ROWS // len(table.classes)
    parts = [rng.permutation(np.flatnonzero(table.y == index))[:share] for index in range(len(table.classes))]
    return np.sort(np.concatenate(parts))


def _folds(table: Table, rows: Integers) -> Integers:
    """Fold of each of `rows`: equal rows together, each class spread over all folds."""
    _, first, group = np.unique(table.groups[rows], return_index=True, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(first))
    if table.task != "regression":
        order = order[np.argsort(_classes(table, rows)[first[order]], kind="stable")]
    fold_of_group = np.empty(len(first), dtype=np.int64)
    fold_of_group[order] = np.arange(len(first)) % FOLDS
    return np.asarray(fold_of_group[group])


def _classes(table: Table, rows: Integers) -> Integers:
    return np.asarray(table.y[rows], dtype=np.int64)
