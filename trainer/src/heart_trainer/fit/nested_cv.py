"""Nested cross-validation and the final model.

Each outer fold runs the whole procedure (settings, family, calibration) on its own training rows; its held-out rows
are predicted once and used for nothing else. The final model is what the same procedure makes of all rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from heart_api.evaluation import Finding
from heart_api.handover import TrainingRequest
from heart_api.training import LINEAR, Algorithm, Training
from heart_trainer.data.rows import EqualRowsTogether, held_out, worth_learning
from heart_trainer.errors import DataInvalid
from heart_trainer.fit import calibrate, families
from heart_trainer.fit import search as tune
from heart_trainer.fit.families import Setting
from heart_trainer.fit.helpers import Helpers, Settings, shared_search
from heart_trainer.fit.offset import check_steps
from heart_trainer.fit.onnx_export import export
from heart_trainer.fit.predict import predict
from heart_trainer.fit.probe import exportable
from heart_trainer.fit.recipe import FittedModel, Recipe, search_and_fit, search_only
from heart_trainer.fit.scoring import scorer
from heart_trainer.fit.search import Search
from heart_trainer.values import Fitted, FoldChoice, Integers, OutOfFoldResult, Table

Outputs = Mapping[str, NDArray[np.float64]]
"""[rows, …] by family."""
FAMILY_ROWS = 20_000
"""Up to so many rows each family is fitted once per fold, and not only the chosen one: an estimate of each."""
FEW_ROWS_TO_FIT = 200_000
"""Rows times linear fits that are done in less time than a process needs to start: about two seconds."""


@dataclass(frozen=True)
class Searches:
    """What is searched and fitted: rows that are worth learning, and how.

    `rows`: indices; `fold`: the outer fold of each of them; `left_out`: families that cannot be served.
    """

    rows: Integers
    fold: Integers
    recipe: Recipe
    left_out: tuple[Finding, ...]


def fit(
    table: Table, request: TrainingRequest, progress: Callable[[str], None], helpers: Helpers | None = None
) -> Fitted:
    """`helpers`: pods that search with this one. Raises DataInvalid (settings that do not fit the data), ExportFailed,
    or TrainerError of the helpers."""
    planned = plan_searches(table, request, progress, helpers)
    rows = planned.rows
    known = shared_settings(table, planned, helpers) if helpers else None
    final, judged = cross_fit(table.x[rows], table.y[rows], planned.fold, planned.recipe, progress, known)
    oof = for_every_row(judged, table.groups, rows)
    progress(f"converting {final.choice.algorithm} to ONNX and comparing outputs")
    converted, parity = export(final.model, table, request.training.seed)
    choice = final.choice
    return Fitted(
        choice.algorithm,
        choice.params,
        choice.calibration,
        final.model,
        oof,
        converted,
        parity,
        planned.left_out,
        final.families,
    )


def help_searching(table: Table, request: TrainingRequest, helpers: Helpers, progress: Callable[[str], None]) -> None:
    """The part of a pod that fits nothing: its settings are handed to the first. Raises as `fit` does."""
    shared_settings(table, plan_searches(table, request, progress, helpers), helpers)


def plan_searches(
    table: Table, request: TrainingRequest, progress: Callable[[str], None], helpers: Helpers | None = None
) -> Searches:
    """Equal in every pod that searches. Raises DataInvalid or ExportFailed."""
    if table.task == "regression":
        check_steps(table.y.astype(np.float64), request.target.name)
    rows = worth_learning(table.x, table.y)
    fold = outer_folds(table, rows, request.training)
    setting = Setting(request.features, table.task == "regression", request.training.seed)
    offered, left_out = exportable(table, rows, _algorithms(request.training, setting.regression), setting)
    for finding in left_out:
        progress(finding.message)
    pods = helpers.count if helpers else 1
    return Searches(rows, fold, make_recipe(table, request, offered, len(training_sets(fold)), pods), left_out)


def shared_settings(table: Table, planned: Searches, helpers: Helpers) -> Mapping[int, Settings]:
    """Settings of every set of rows (of a pod other than the first: its own part)."""
    x, y, sets = table.x[planned.rows], table.y[planned.rows], training_sets(planned.fold)

    def search(wanted: Sequence[int]) -> Mapping[int, Settings]:
        jobs = processes(len(y), len(wanted), planned.recipe.search, joblib.cpu_count()) if wanted else 1
        tasks = (joblib.delayed(search_only)(x[sets[k]], y[sets[k]], planned.recipe) for k in wanted)
        return dict(zip(wanted, joblib.Parallel(n_jobs=jobs)(tasks), strict=True))

    return shared_search(helpers, len(sets), search)


def training_sets(fold: Integers) -> list[NDArray[np.bool_]]:
    """Masks of the rows that each model learns from: one for each outer fold, then all rows for the final one.

    With rows that are kept out for good, the one model of the others is the final one as well.
    """
    folds = [fold != k for k in range(int(fold.max()) + 1)]
    return folds if (fold < 0).any() else [*folds, np.ones(len(fold), dtype=bool)]


def outer_folds(table: Table, rows: Integers, training: Training) -> Integers:
    """Outer fold of each of `rows` (indices). With `holdout`: 0 for those kept out for good, -1 for the rest."""
    if not training.holdout:
        dealer = EqualRowsTogether(training.cross_validation.folds, training.seed, table.task != "regression")
        return dealer.folds(table.x[rows], table.y[rows])
    out = held_out(table.keys, table.groups, training.holdout)[rows]
    y = table.y[rows]
    sides = (y[out], y[~out])
    if any(len(side) < 2 * tune.INNER_FOLDS for side in sides) or (
        table.task != "regression" and any(len(np.unique(side)) < len(table.classes) for side in sides)
    ):
        instead = "keep more out, or train on more rows" if training.trainer else "use crossValidation instead"
        raise DataInvalid(f"spec.training.holdout keeps {out.sum()} rows out: too few, {instead}.")
    return np.where(out, 0, -1)


def for_every_row(judged: OutOfFoldResult, groups: Integers, rows: Integers) -> OutOfFoldResult:
    """From the rows learnt to all rows: rows with equal features have one fold and one prediction."""
    place = np.empty(int(groups.max()) + 1, dtype=np.int64)
    place[groups[rows]] = np.arange(len(rows))
    families = {name: output[place[groups]] for name, output in judged.families.items()}
    return OutOfFoldResult(judged.output[place[groups]], judged.fold[place[groups]], judged.choices, families)


def make_recipe(
    table: Table, request: TrainingRequest, algorithms: tuple[Algorithm, ...], tasks: int, pods: int = 1
) -> Recipe:
    """`tasks`: how many times the procedure runs, in so many pods: its searches share the time given."""
    training, regression = request.training, table.task == "regression"
    setting = Setting(request.features, regression, training.seed)
    share = training.tuning.timeout_seconds * min(joblib.cpu_count() * pods, tasks) / tasks
    score = scorer(training.scoring, table.task)[1]
    search = Search(algorithms, training.tuning.trials, share, score, setting)
    rows = len(np.unique(table.groups))
    return Recipe(search, ("none",) if regression else calibrate.methods(training.calibration, rows))


def cross_fit(
    x: NDArray[np.float32],
    y: NDArray[Any],
    fold: Integers,
    recipe: Recipe,
    progress: Callable[[str], None],
    known: Mapping[int, Settings] | None = None,
) -> tuple[FittedModel, OutOfFoldResult]:
    """The final model, and for every row with a fold the prediction of a model that was not given that row.

    `known`: settings of each set of rows, if they were searched before.
    """
    folds = int(fold.max()) + 1
    training_rows = training_sets(fold)
    output = np.full((len(y), 1 if recipe.search.setting.regression else int(y.max()) + 1), np.nan)
    choices: list[FoldChoice] = []
    fitted = None
    held_out = [fold == k for k in range(folds)] if len(y) <= FAMILY_ROWS else []
    families: list[Outputs] = []
    for k, fitted in enumerate(_fit_each(x, y, training_rows, held_out, recipe, known or {})):
        if k < folds:
            output[fold == k] = predict(fitted.model, x[fold == k])
            choices.append(fitted.choice)
            families.append(fitted.held_out)
        progress(f"{k + 1} of {len(training_rows)} searches done: {fitted.choice.algorithm}")
    assert fitted is not None  # there is at least one fold
    return fitted, OutOfFoldResult(output, fold, tuple(choices), joined(families, fold, output.shape[1]))


def joined(
    parts: Sequence[Mapping[str, NDArray[np.float64]]], fold: Integers, columns: int
) -> dict[str, NDArray[np.float64]]:
    """Each family's predictions of the held-out rows, put together; of families that every fold has tried."""
    found = {}
    for name in parts[0]:
        if all(name in part for part in parts):
            found[name] = np.full((len(fold), columns), np.nan)
            for k, part in enumerate(parts):
                found[name][fold == k] = part[name]
    return found


def _fit_each(
    x: NDArray[np.float32],
    y: NDArray[Any],
    training_rows: list[NDArray[np.bool_]],
    held_out: list[NDArray[np.bool_]],
    recipe: Recipe,
    known: Mapping[int, Settings],
) -> Iterator[FittedModel]:
    """A model fitted on each set of rows (boolean masks), in their order, in several processes.

    `held_out`: the rows that all families predict besides, of the first sets.
    """
    jobs = processes(len(y), len(training_rows), recipe.search, joblib.cpu_count())
    tasks = (
        joblib.delayed(search_and_fit)(x[rows], y[rows], recipe, known.get(k), None if out is None else x[out])
        for k, (rows, out) in enumerate(zip_longest(training_rows, held_out))
    )
    yield from joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)


def processes(rows: int, searches: int, search: Search, cores: int) -> int:
    """How many searches run at a time. A process takes seconds to import what it needs: a few linear fits do not."""
    fits = searches * max(1, search.trials) * (tune.INNER_FOLDS + 1)
    if LINEAR.issuperset(search.algorithms) and rows * fits <= FEW_ROWS_TO_FIT:
        return 1
    return min(cores, searches)


def _algorithms(training: Training, regression: bool) -> tuple[Algorithm, ...]:
    offered = families.REGRESSORS if regression else families.CLASSIFIERS
    wanted = training.algorithms or families.by_default(regression)
    wrong = [a for a in wanted if a not in offered]
    if wrong:
        raise DataInvalid(
            f"spec.training.algorithms: {', '.join(wrong)} does not fit task {training.task}; use {', '.join(offered)}."
        )
    return tuple(wanted)
