"""Figures of every family that the search tried, on the same rows: of models that had not seen the row.

They come from the inner folds of the final search. The settings of a family were chosen on those folds, so that its
figures are slightly too good; the out-of-fold figures of the version itself are not.
"""

from collections.abc import Iterable, Mapping

from heart_api.evaluation import Task
from heart_trainer.evaluation.metrics import Figures, point
from heart_trainer.values import FamilyResult


def measure_families(task: Task, families: Iterable[FamilyResult]) -> dict[str, Figures]:
    """Metrics by family, in the order of the families."""
    return {family.algorithm: point(task, family.y, family.output) for family in families}


def fold_figures(task: Task, family: FamilyResult, metric: str) -> list[float]:
    """The metric on each inner fold by itself; folds that do not define it are left out."""
    folds = [point(task, family.y[rows], family.output[rows]) for rows in family.rows_of_folds()]
    return [figures[metric] for figures in folds if metric in figures]


def as_values(families: Mapping[str, Figures]) -> dict[str, float]:
    """As MLflow's metrics: `family.<name>.<metric>`."""
    return {f"family.{name}.{metric}": value for name, figures in families.items() for metric, value in figures.items()}
