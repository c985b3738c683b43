"""The search: settings by Optuna, then the family, on inner folds of the rows it is given and of nothing else."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from heart_operator.api.training import Algorithm
from heart_trainer import families
from heart_trainer.export import predict
from heart_trainer.families import Setting
from heart_trainer.rows import EqualRowsTogether
from heart_trainer.scoring import Score
from heart_trainer.values import Integers

INNER_FOLDS = 3
SEARCH_ROWS = 5000
"""The search looks at no more rows than this, drawn by seed; the model is then fitted on all."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class SearchRows:
    """What a search may see: its rows, dealt into inner folds."""

    x: NDArray[np.float32]
    y: NDArray[Any]
    fold: Integers


@dataclass(frozen=True)
class Tried:
    """One family with settings, judged on every inner fold."""

    algorithm: Algorithm
    params: dict[str, Any]
    scores: NDArray[np.float64]
    """[folds], greater is better."""
    output: NDArray[np.float64]
    """[rows, …]: predictions of models that did not see the row."""


@dataclass(frozen=True)
class Search:
    algorithms: tuple[Algorithm, ...]
    trials: int
    seconds: float
    score: Score
    setting: Setting


def search_rows(x: NDArray[np.float32], y: NDArray[Any], setting: Setting) -> SearchRows:
    rows = np.arange(len(y))
    if len(y) > SEARCH_ROWS:
        rows = np.sort(np.random.default_rng(setting.seed).choice(rows, SEARCH_ROWS, replace=False))
    dealer = EqualRowsTogether(INNER_FOLDS, setting.seed, stratify=not setting.regression)
    return SearchRows(x[rows], y[rows], dealer.folds(x[rows], y[rows]))


def run(search: Search, rows: SearchRows) -> Tried:
    """The simplest family that is as good as the best within its error (one-standard-error rule, Breiman 1984)."""
    deadline = time.monotonic() + search.seconds
    tuned: dict[str, Tried] = {}
    wanted = [a for a in families.SIMPLEST_FIRST if a in search.algorithms]
    for position, algorithm in enumerate(wanted):
        share = max(0.0, deadline - time.monotonic()) / (len(wanted) - position)
        tuned[algorithm] = _tune(algorithm, search, rows, time.monotonic() + share, tuned)
    return simplest_of_the_best(list(tuned.values()))


def simplest_of_the_best(tried: Sequence[Tried]) -> Tried:
    """`tried`: simplest first."""
    best = max(tried, key=lambda t: t.scores.mean())
    for one in tried:
        behind = best.scores - one.scores
        if behind.mean() <= behind.std(ddof=1) / np.sqrt(len(behind)):
            return one
    return best


def judge(algorithm: Algorithm, params: dict[str, Any], search: Search, rows: SearchRows, trial: Any = None) -> Tried:
    """Cross-validates one setting on the inner folds; a hopeless `trial` is pruned on the way."""
    output = np.full((len(rows.y), 1 if search.setting.regression else int(rows.y.max()) + 1), np.nan)
    scores = []
    for k in range(INNER_FOLDS):
        inside, outside = rows.fold != k, rows.fold == k
        model = fit_one(algorithm, params, search.setting, rows.x[inside], rows.y[inside])
        output[outside] = predict(model, rows.x[outside])
        scores.append(search.score(rows.y[outside], output[outside]))
        if trial is not None:
            trial.report(float(np.mean(scores)), k)
            if trial.should_prune():
                raise optuna.TrialPruned
    return Tried(algorithm, params, np.array(scores), output)


def fit_one(algorithm: Algorithm, params: dict[str, Any], setting: Setting, x: NDArray[Any], y: NDArray[Any]) -> Any:
    with warnings.catch_warnings():
        # A column that is empty in one fold, or a setting that converges slowly, is the search's to judge.
        warnings.simplefilter("ignore")
        return families.build(algorithm, params, setting).fit(x, y)


def _tune(algorithm: Algorithm, search: Search, rows: SearchRows, deadline: float, tuned: dict[str, Tried]) -> Tried:
    space = families.space(algorithm)
    if space is None:
        return judge(algorithm, {name: t.params for name, t in tuned.items()}, search, rows)
    tried: list[Tried] = []

    def objective(trial: Any) -> float:
        one = judge(algorithm, space(trial), search, rows, trial)
        tried.append(one)
        return float(one.scores.mean())

    def stop_in_time(study: Any, _: Any) -> None:
        if time.monotonic() >= deadline:
            study.stop()

    sampler = optuna.samplers.TPESampler(seed=search.setting.seed, n_startup_trials=5)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.enqueue_trial(families.defaults(algorithm))  # always tried, however short the time
    study.optimize(objective, n_trials=max(1, search.trials), callbacks=[stop_in_time])
    return max(tried, key=lambda t: t.scores.mean())
