"""The search: settings by Optuna, then the family, on inner folds of the rows it is given and of nothing else."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from heart_api.training import Algorithm
from heart_trainer.data.rows import EqualRowsTogether
from heart_trainer.fit import families
from heart_trainer.fit.families import Setting
from heart_trainer.fit.offset import ShiftedModel, needs_double, offset_of
from heart_trainer.fit.predict import predict
from heart_trainer.fit.scoring import Score
from heart_trainer.values import Integers

INNER_FOLDS = 3
SEARCH_ROWS = 5000
"""The search looks at no more rows than this, drawn by seed; the model is then fitted on all."""

CONFIDENT = 1.28
"""Standard errors by which something must win over something simpler (paired, one-sided, 90%)."""
BLOCKS = 20

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class SearchRows:
    """What a search may see: its rows, dealt into inner folds."""

    x: NDArray[np.float32]
    y: NDArray[Any]
    fold: Integers


@dataclass(frozen=True)
class Tried:
    """The scores and out-of-fold predictions of one algorithm with one set of parameters."""

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
    """The simplest family that the best does not clearly beat; the same for tuned settings against the defaults."""
    return simplest_of_the_best(run_each(search, rows), rows.y, search.score)


def run_each(search: Search, rows: SearchRows) -> list[Tried]:
    """The best settings of every family, simplest family first."""
    deadline = time.monotonic() + search.seconds
    tuned: dict[str, Tried] = {}
    wanted = [a for a in families.SIMPLEST_FIRST if a in search.algorithms]
    for position, algorithm in enumerate(wanted):
        share = max(0.0, deadline - time.monotonic()) / (len(wanted) - position)
        tuned[algorithm] = _tune(algorithm, search, rows, time.monotonic() + share, tuned)
    return list(tuned.values())


def simplest_of_the_best(tried: Sequence[Tried], y: NDArray[Any], score: Score) -> Tried:
    """`tried`: simplest first. In the spirit of the one-standard-error rule (Breiman et al. 1984), on paired rows.

    A few hundred rows cannot rank families that are equally good; a choice by noise costs more than it gains.
    """
    best = max(tried, key=lambda t: t.scores.mean())
    return next(one for one in tried if one is best or not _clearly_better(best, one, y, score))


def _clearly_better(one: Tried, other: Tried, y: NDArray[Any], score: Score) -> bool:
    lead, error = paired_lead(one.output, other.output, y, score)
    return lead > CONFIDENT * error


def paired_lead(
    one: NDArray[np.float64], other: NDArray[np.float64], y: NDArray[Any], score: Score
) -> tuple[float, float]:
    """How much better `one` scores on the same rows, with its standard error (jackknife over blocks of rows)."""
    block = np.empty(len(y), dtype=np.int64)
    block[np.argsort(y, kind="stable")] = np.arange(len(y)) % BLOCKS  # every block has its share of each class
    left_out = [block != k for k in range(BLOCKS)]
    leads = np.array([score(y[rows], one[rows]) - score(y[rows], other[rows]) for rows in left_out])
    error = np.sqrt((BLOCKS - 1) / BLOCKS * ((leads - leads.mean()) ** 2).sum())
    return score(y, one) - score(y, other), float(error)


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
        pipeline = families.build(algorithm, params, setting)
        if not setting.regression:
            return pipeline.fit(x, y)
        offset = offset_of(y)
        return ShiftedModel(pipeline.fit(x, y - offset), offset, needs_double(y))


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
    return simplest_of_the_best([tried[0], max(tried, key=lambda t: t.scores.mean())], rows.y, search.score)
