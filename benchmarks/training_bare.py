"""The same search without HeartOps: pandas, scikit-learn, Optuna, joblib. Takes the case as JSON, in its folder."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optuna
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEARCH_ROWS = 5000


def build(algorithm: str, trial: Any) -> Any:
    if algorithm == "logistic-regression":
        strength = trial.suggest_float("C", 1e-3, 1e2, log=True) if trial else 0.1
        return make_pipeline(
            SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=strength, max_iter=2000)
        )
    leaf = trial.suggest_int("min_samples_leaf", 1, 20, log=True) if trial else 5
    share = trial.suggest_categorical("max_features", ["sqrt", 0.5, 1.0]) if trial else "sqrt"
    forest = RandomForestClassifier(
        150, max_leaf_nodes=1024, min_samples_leaf=leaf, max_features=share, random_state=42
    )
    return make_pipeline(SimpleImputer(strategy="median"), forest)


def search(x: Any, y: Any, case: dict[str, Any], *, every_family: bool) -> list[Any]:
    """The families with their best settings, the best one first, fitted on all rows given; or that one alone."""
    some = np.random.default_rng(42).permutation(len(y))[:SEARCH_ROWS]
    folds = StratifiedKFold(3, shuffle=True, random_state=42)
    found: list[tuple[float, str, Any]] = []
    for algorithm in case["algorithms"]:

        def score(trial: Any, algorithm: str = algorithm) -> float:
            return float(cross_val_score(build(algorithm, trial), x[some], y[some], cv=folds, scoring="roc_auc").mean())

        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=42))
        study.optimize(score if case["trials"] else lambda _: score(None), n_trials=max(1, case["trials"]))
        chosen = optuna.trial.FixedTrial(study.best_params) if case["trials"] else None
        found.append((study.best_value, algorithm, build(algorithm, chosen)))
    ranked = sorted(found, key=lambda one: -one[0])
    return [model.fit(x, y) for _, _, model in (ranked if every_family else ranked[:1])]


def judge_folds(x: Any, y: Any, case: dict[str, Any]) -> tuple[Any, list[float]]:
    """The model, and ROC-AUC out of fold: of the family that each fold chose, then of the others in its ranking."""
    folds = list(StratifiedKFold(5, shuffle=True, random_state=42).split(x, y))
    fits = [joblib.delayed(search)(x[inside], y[inside], case, every_family=True) for inside, _ in folds]
    last = joblib.delayed(search)(x, y, case, every_family=False)
    *models, (model,) = joblib.Parallel(n_jobs=joblib.cpu_count())([*fits, last])
    output = np.empty((len(case["algorithms"]), len(y)))
    for (_, outside), families in zip(folds, models, strict=True):
        for rank, family in enumerate(families):
            output[rank, outside] = family.predict_proba(x[outside])[:, 1]
    return model, [roc_auc_score(y, one) for one in output]


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    case = json.loads(sys.argv[1])
    frame = pd.read_csv("data.csv")
    x, y = frame.drop(columns="outcome").to_numpy(np.float32), frame["outcome"].to_numpy()
    if case["holdout"]:
        inside, outside, y_in, y_out = train_test_split(x, y, test_size=case["holdout"], random_state=42, stratify=y)
        (model,) = search(inside, y_in, case, every_family=False)
        figures = [roc_auc_score(y_out, model.predict_proba(outside)[:, 1])]
    else:
        model, figures = judge_folds(x, y, case)
    Path("model.pickle").write_bytes(pickle.dumps(model))
    print("ROC-AUC", *(f"{figure:.3f}" for figure in figures))


if __name__ == "__main__":
    main()
