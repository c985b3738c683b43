"""A forest of all sites' trees beside the linear model, chosen between for each fold on the other folds' rows.

The linear model stays unless the forest clearly beats it between the inner folds, as a search in one place has it.
"""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.pipeline import Pipeline

from heart_trainer.external.learned import Learned
from heart_trainer.external.train import linear
from heart_trainer.federation.federate import Federation, Studied
from heart_trainer.fit.families import Setting
from heart_trainer.sums.additive import Sums, total
from heart_trainer.sums.calibration import Model
from heart_trainer.sums.choice import choose_setting
from heart_trainer.sums.describe import prepare
from heart_trainer.sums.driver import Trained
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.pipeline import fitted_preparation
from heart_trainer.sums.scores import Cells, Judged, ScoreRequest, cells_of
from heart_trainer.sums.split import Owner
from heart_trainer.sums.union import ForestModel, GrowRequest, unscaled
from heart_trainer.values import FoldChoice

TREES = 60
"""Of all sites together, for each set of rows."""
FOREST = "random-forest"


@dataclass(frozen=True)
class Grove:
    """Forests by set of the split."""

    forests: dict[int, ForestModel]

    def of(self, owner: Owner) -> ForestModel:
        return self.forests[owner.learns]


def choose_families(studied: Studied, federation: Federation, only_forest: bool) -> tuple[Learned, dict[str, Sums]]:
    """What is learnt with the better family in each fold, and each site's answer to its evaluation.

    Raises SitesLost or SitesFailed.
    """
    trained = studied.trained
    grove = _grow(trained, federation)
    federation.report(f"forests of {len(federation.sites)} sites' trees are grown")
    chosen = tuple(only_forest or better for better in _better(studied, grove, federation))
    if not any(chosen):
        return linear(trained), studied.answers
    owners = trained.study.split.owners
    models: list[Model] = [
        grove.of(owner) if forest else one.answers
        for owner, one, forest in zip(owners, trained.owners, chosen, strict=True)
    ]
    judging = tuple(model for owner, model in zip(owners, models, strict=True) if owner.judged)
    request = replace(trained.request, models=judging)
    answers = federation.sum(request)
    return _learned(trained, grove, chosen, request, total(request.schema(), answers.values())), answers


def _grow(trained: Trained, federation: Federation) -> Grove:
    study, description = trained.study, trained.description
    numbers = {owner.learns for owner in study.split.owners}
    numbers |= {inner.learns for owner in study.split.owners for inner in owner.inner} if study.searches else set()
    order = sorted(numbers)
    sets = tuple(study.split.sets[number] for number in order)
    preparations = tuple(unscaled(prepare(description, study.features, parts)) for parts in sets)
    asked = GrowRequest(study.split, sets, preparations, TREES, description.rows(), study.seed)
    found = federation.grow(asked)
    return Grove(
        {
            number: ForestModel(preparation, trees)
            for number, preparation, trees in zip(order, preparations, found, strict=True)
        }
    )


def _better(studied: Studied, grove: Grove, federation: Federation) -> list[bool]:
    """For each owner, whether the forest clearly beats its linear model on the inner folds."""
    trained, scores = studied.trained, studied.scores
    study = trained.study
    if scores is None:
        return [False] * len(study.split.owners)
    judged = tuple(
        Judged(grove.forests[inner.learns], inner.judged) for owner in study.split.owners for inner in owner.inner
    )
    asked = ScoreRequest(study.split, judged)
    forests = total(asked.schema(), federation.sum(asked).values())
    found, place = [], 0
    for owner, one in zip(study.split.owners, trained.owners, strict=True):
        inner = len(owner.inner)
        folds = _folds(scores, place, inner, len(study.penalties), study.penalties.index(one.penalty), forests)
        found.append(choose_setting(folds, study.scoring) == 1 if _comparable(folds) else False)
        place += inner
    return found


def _folds(scores: Sums, place: int, inner: int, penalties: int, penalty: int, forests: Sums) -> list[list[Cells]]:
    """For each inner fold: the linear model's cells at its chosen penalty, and the forest's."""
    return [[cells_of(scores, (place + k) * penalties + penalty), cells_of(forests, place + k)] for k in range(inner)]


def _comparable(folds: list[list[Cells]]) -> bool:
    """Small cells may have emptied a table."""
    return all(len(np.unique(cells.y)) == 2 for fold in folds for cells in fold)


def _learned(
    trained: Trained, grove: Grove, chosen: tuple[bool, ...], request: EvaluationRequest, tables: Sums
) -> Learned:
    base = linear(trained)
    forest = FoldChoice(FOREST, {"trees": TREES}, "none")
    choices = tuple(forest if one else other for one, other in zip(chosen, base.choices, strict=True))
    final = grove.of(trained.study.split.owners[-1])

    def estimator(setting: Setting) -> object:
        if not chosen[-1]:
            return base.estimator(setting)
        return Pipeline([("prepare", fitted_preparation(final.preparation, setting, False)), ("model", final.forest())])

    return Learned(trained.study, trained.description, request, tables, choices, estimator)
