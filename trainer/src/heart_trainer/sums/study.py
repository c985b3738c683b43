"""What is trained from sums, and what follows from a description of the rows before any model is fitted."""

from dataclasses import dataclass

import numpy as np

from heart_api.contract import Feature
from heart_api.training import Scoring
from heart_trainer.errors import DataInvalid
from heart_trainer.fit.calibrate import Method
from heart_trainer.fit.offset import check_extent, is_too_coarse
from heart_trainer.sums.bins import Axis, span
from heart_trainer.sums.describe import Description, prepare
from heart_trainer.sums.linear import Learner
from heart_trainer.sums.scores import Scale
from heart_trainer.sums.split import Parts, Split

LEAST_OF_CLASS = 10
"""Rows of each class that every set and every judged part needs."""


@dataclass(frozen=True)
class Study:
    """What is trained and how. `penalties`: those to choose from, the default first."""

    features: tuple[Feature, ...]
    regression: bool
    split: Split
    penalties: tuple[float, ...]
    methods: tuple[Method, ...]
    scoring: Scoring
    seed: int
    target: str = "target"
    search_share: float = 1.0

    @property
    def searches(self) -> bool:
        """Whether anything is chosen at all."""
        return len(self.penalties) > 1 or self.methods != ("none",)


def learner_of(study: Study, description: Description, number: int, share: float) -> Learner:
    """What the models of a set learn from: a share of the set's rows, prepared by what all of them say."""
    parts = study.split.sets[number]
    offset = 0.0
    if study.regression:
        mean = description.target(parts)[0]
        offset = mean if needs_double(study, description) else float(np.float32(mean))
    bound = 1.0 if share == 1 else study.split.search_bound(share)
    return Learner(parts, prepare(description, study.features, parts), bound, offset)


def scale_of(study: Study, description: Description) -> Scale | None:
    """Of a regression."""
    if not study.regression:
        return None
    mean, variance = description.target(tuple(range(study.split.parts)))
    return Scale(mean, float(np.sqrt(variance)))


def outputs_of(study: Study, description: Description) -> Axis | None:
    """Bins of a regression's answers: five standard deviations of the target on either side of its mean."""
    scale = scale_of(study, description)
    if scale is None:
        return None
    return span(scale.mean - 5 * scale.deviation, scale.mean + 5 * scale.deviation, ())


def check_enough(study: Study, description: Description) -> None:
    """Raises DataInvalid where a set or a fold has too few rows, or rows of one class alone."""
    for parts in {*study.split.sets, *(owner.judged for owner in study.split.owners if owner.judged)}:
        _check_parts(study, description, parts)
    if study.regression:
        check_extent(*_extent(study, description), study.target)


def needs_double(study: Study, description: Description) -> bool:
    """Whether a regression's answers need float64, as fit.offset.needs_double has it."""
    return study.regression and is_too_coarse(*_extent(study, description), np.float32)


def _extent(study: Study, description: Description) -> tuple[float, float]:
    """(magnitude, standard deviation) of the target."""
    mean, variance = description.target(tuple(range(study.split.parts)))
    deviation = float(np.sqrt(variance))
    return abs(mean) + 3 * deviation, deviation


def _check_parts(study: Study, description: Description, parts: Parts) -> None:
    rows, least = description.rows(parts), LEAST_OF_CLASS
    if not study.regression:
        positive = round(description.target(parts)[0] * rows)
        least = min(positive, rows - positive)
    if rows < LEAST_OF_CLASS or least < LEAST_OF_CLASS:
        raise DataInvalid(
            f"A fold has {rows} rows, {least} of the rarer class; {LEAST_OF_CLASS} of each class are needed: lower "
            "spec.training.crossValidation.folds, or add rows."
        )
