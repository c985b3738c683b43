"""The choice between settings by their scores on inner folds."""

from collections.abc import Sequence

import numpy as np

from heart_api.training import Scoring
from heart_trainer.fit.search import CONFIDENT
from heart_trainer.sums.figures import figures_of
from heart_trainer.sums.scores import Cells, ErrorCells

LOWER_IS_BETTER = ("brier", "log_loss", "rmse", "mae")


def choose_setting(folds: Sequence[Sequence[Cells | ErrorCells]], scoring: Scoring) -> int:
    """Position of the best setting; the first (the default) unless the best one clearly beats it.

    `folds`: for each inner fold, the cells of every setting. Clearly: by more than CONFIDENT standard errors of the
    lead between the folds, as search.simplest_of_the_best does between blocks of rows.
    """
    sign = -1.0 if scoring in LOWER_IS_BETTER else 1.0
    scores = sign * np.array([[figures_of(cells)[scoring] for cells in fold] for fold in folds])
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    best = int(np.argmax(scores.mean(axis=0)))
    lead = scores[:, best] - scores[:, 0]
    if best == 0 or not np.isfinite(lead).all():
        return best
    return best if lead.mean() > CONFIDENT * lead.std(ddof=1) / np.sqrt(len(lead)) else 0
