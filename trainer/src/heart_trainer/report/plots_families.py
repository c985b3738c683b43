"""The families that the search tried, side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from heart_api.evaluation import Task
from heart_trainer.evaluation.families import fold_figures
from heart_trainer.evaluation.metrics import point
from heart_trainer.report.plot_style import COLOURS, STYLE
from heart_trainer.report.wording import title
from heart_trainer.values import FamilyResult

LEADING: dict[Task, str] = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}
"""The metric that is drawn."""


def draw_families(task: Task, families: Sequence[FamilyResult], chosen: str) -> Figure:
    """A row for each family: the metric over all rows, and each inner fold by itself."""
    metric = LEADING[task]
    with rc_context(STYLE):
        figure = Figure(figsize=(5, 1.2 + 0.5 * len(families)), layout="constrained")
        axes = figure.subplots()
        for place, family in enumerate(families):
            colour = COLOURS[0] if family.algorithm == chosen else "#777777"
            folds = fold_figures(task, family, metric)
            axes.scatter(folds, np.full(len(folds), place), s=18, color=colour, alpha=0.5)
            overall = point(task, family.y, family.output).get(metric)
            if overall is not None:
                axes.scatter([overall], [place], s=70, color=colour, marker="D")
        axes.set_yticks(range(len(families)), [family.algorithm for family in families])
        axes.set(title=f"Families compared: {title(metric)}", ylim=(len(families) - 0.5, -0.5))
    return figure
