"""Figures of every family that the search tried, on the same rows: of models that had not seen the row.

Inner: from the folds of the final search. The settings of a family were chosen on those folds, so that its figures are
slightly too good. Out of fold: each outer fold's best settings of the family, fitted once on the rows of that fold's
search, predict the rows held out. These are as honest as the figures of the version itself, whose family was chosen
among them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from heart_api.evaluation import Task
from heart_trainer.evaluation.metrics import Figures, point
from heart_trainer.values import FamilyResult, OutOfFoldResult


def measure_families(task: Task, families: Iterable[FamilyResult]) -> dict[str, Figures]:
    """Metrics by family, in the order of the families."""
    return {family.algorithm: point(task, family.y, family.output) for family in families}


def fold_figures(task: Task, family: FamilyResult, metric: str) -> list[float]:
    """The metric on each inner fold by itself; folds that do not define it are left out."""
    folds = [point(task, family.y[rows], family.output[rows]) for rows in family.rows_of_folds()]
    return [figures[metric] for figures in folds if metric in figures]


def estimates_of(judged: OutOfFoldResult, y: NDArray[Any]) -> tuple[FamilyResult, ...]:
    """Each family with its out-of-fold predictions; none where only the chosen one was fitted."""
    rows = judged.judged
    return tuple(
        FamilyResult(name, {}, y[rows], judged.fold[rows], output[rows]) for name, output in judged.families.items()
    )


def as_values(families: Mapping[str, Figures], kind: str = "") -> dict[str, float]:
    """As MLflow's metrics: `family.<name>.<metric>`; with a kind `family.<name>.<kind>.<metric>`."""
    within = f".{kind}" if kind else ""
    return {
        f"family.{name}{within}.{metric}": value
        for name, figures in families.items()
        for metric, value in figures.items()
    }
