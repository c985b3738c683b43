"""Nested cross-validation of a linear model as a state machine: `start`, then `step` with each exchange's sums.

The transport stands outside. It hands the request to whoever holds rows, adds their answers, and hands the total back:

    following = start(study)
    while not isinstance(following, Trained):
        state, request = following
        following = step(state, total(request.schema(), (request.collect(rows) for rows in holders)))

ranges ► description ► search (one Newton step an exchange; ridge: one in all) ► inner scores ► fit ► evaluation

The search looks at a share of the rows. With a share of 1 the models of the folds and the final one are searched with
the others, and no exchanges are needed for the fit.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from heart_trainer.evaluation.evaluate import Measurement
from heart_trainer.fit.calibrate import Calibrator, Method
from heart_trainer.sums.additive import Schema, Sums
from heart_trainer.sums.calibration import CalibratedLinearModel, Model, choose_calibrator
from heart_trainer.sums.choice import choose_setting
from heart_trainer.sums.describe import DescribeRequest, Description, RangeRequest, axes_of
from heart_trainer.sums.evaluation import EvaluationRequest, measure
from heart_trainer.sums.linear import (
    Floats,
    GramRequest,
    LinearModel,
    NewtonState,
    advance,
    solve_ridge,
    start_newton,
)
from heart_trainer.sums.rows import Rows
from heart_trainer.sums.scores import Cells, Judged, ScoreRequest, cells_of, error_cells_of
from heart_trainer.sums.slices import rules
from heart_trainer.sums.split import Owner
from heart_trainer.sums.study import Study, check_enough, learner_of, outputs_of, scale_of


class Request(Protocol):
    """What is requested of whoever holds rows. `collect` answers with the sums of the schema."""

    def schema(self) -> Schema: ...
    def collect(self, rows: Rows) -> Sums: ...


@dataclass(frozen=True)
class FittedOwner:
    """A model of the split. `penalty` and `method` were chosen without its judged rows."""

    model: LinearModel
    penalty: float
    method: Method
    calibrator: Calibrator | None

    @property
    def answers(self) -> Model:
        return self.model if self.calibrator is None else CalibratedLinearModel(self.model, self.calibrator)


@dataclass(frozen=True)
class Trained:
    """The models (the last one is final), what the rows look like, and the tables of the evaluation."""

    study: Study
    description: Description
    owners: tuple[FittedOwner, ...]
    request: EvaluationRequest
    tables: Sums
    exchanges: int

    @property
    def final(self) -> FittedOwner:
        return self.owners[-1]

    def measurement(self) -> Measurement:
        return measure(self.request, self.tables, self.study.seed)


@dataclass(frozen=True)
class Ranging:
    study: Study
    request: RangeRequest
    exchanges: int = 1


@dataclass(frozen=True)
class Describing:
    study: Study
    request: DescribeRequest
    exchanges: int


@dataclass(frozen=True)
class Known:
    """What later states share. `learners`: those searched; `solution`: for each one [penalties, columns + 1]."""

    study: Study
    description: Description
    exchanges: int


@dataclass(frozen=True)
class Searching(Known):
    """One learner for each set that is searched, in the order of `sets`."""

    sets: tuple[int, ...]
    newton: NewtonState


@dataclass(frozen=True)
class Solving(Known):
    """Ridge: learners of the search, then of the owners."""

    sets: tuple[int, ...]
    request: GramRequest


@dataclass(frozen=True)
class Choosing(Known):
    """`searched`: by set, its models at every penalty; `fitted`: the same of the owners' sets, where known already."""

    searched: dict[int, list[LinearModel]]
    fitted: dict[int, list[LinearModel]] | None
    request: ScoreRequest


@dataclass(frozen=True)
class Choice:
    penalty: float
    method: Method
    calibrator: Calibrator | None
    position: int
    """Of the penalty among the study's."""


@dataclass(frozen=True)
class Fitting(Known):
    choices: tuple[Choice, ...]
    newton: NewtonState


@dataclass(frozen=True)
class Evaluating(Known):
    owners: tuple[FittedOwner, ...]
    request: EvaluationRequest


State = Ranging | Describing | Searching | Solving | Choosing | Fitting | Evaluating
Following = tuple[State, Request] | Trained


def start(study: Study) -> tuple[State, Request]:
    request = RangeRequest(study.features)
    return Ranging(study, request), request


def step(state: State, summed: Sums) -> Following:
    """What follows the exchange of `state`'s request. Raises DataInvalid, or StatisticRejected for impossible sums."""
    if isinstance(state, Ranging):
        request = DescribeRequest(state.study.features, axes_of(state.request, summed), state.study.split)
        return Describing(state.study, request, state.exchanges + 1), request
    if isinstance(state, Describing):
        return _described(state, Description(state.request, summed))
    if isinstance(state, Searching):
        return _searched(state, summed)
    if isinstance(state, Solving):
        return _solved(state, summed)
    if isinstance(state, Choosing):
        return _chosen(state, summed)
    if isinstance(state, Fitting):
        return _fitted(state, summed)
    return Trained(state.study, state.description, state.owners, state.request, summed, state.exchanges)


def _described(state: Describing, description: Description) -> Following:
    study = state.study
    check_enough(study, description)
    inner = [inner.learns for owner in study.split.owners for inner in owner.inner] if study.searches else []
    owners = [owner.learns for owner in study.split.owners]
    together = study.search_share == 1
    known = study, description, state.exchanges + 1
    if study.regression:
        sets = tuple(dict.fromkeys(inner))
        learners = [learner_of(study, description, number, study.search_share) for number in sets]
        learners += [learner_of(study, description, number, 1) for number in owners]
        gram = GramRequest(study.split, tuple(learners))
        return Solving(*known, sets, gram), gram
    sets = tuple(dict.fromkeys([*inner, *(owners if together else [])]))
    if not sets:
        return _fit(study, description, state.exchanges, _defaults(study), None)
    searched = tuple(learner_of(study, description, number, study.search_share) for number in sets)
    newton = start_newton(study.split, searched, (np.array(study.penalties),) * len(sets))
    return Searching(*known, sets, newton), newton.request


def _searched(state: Searching, summed: Sums) -> Following:
    newton = advance(state.newton, summed)
    if not newton.finished:
        return Searching(state.study, state.description, state.exchanges + 1, state.sets, newton), newton.request
    models = {
        number: [LinearModel(learner.preparation, values) for values in solution]
        for number, learner, solution in zip(state.sets, newton.request.learners, newton.solution(), strict=True)
    }
    return _score(state, models, models if state.study.search_share == 1 else None)


def _solved(state: Solving, summed: Sums) -> Following:
    penalties = np.array(state.study.penalties)
    solved = [
        [LinearModel(learner.preparation, values, learner.offset) for values in solve_ridge(summed, index, penalties)]
        for index, learner in enumerate(state.request.learners)
    ]
    searched = dict(zip(state.sets, solved, strict=False))
    owners = {owner.learns: solved[len(state.sets) + i] for i, owner in enumerate(state.study.split.owners)}
    return _score(state, searched, owners)


def _score(
    state: Searching | Solving, searched: dict[int, list[LinearModel]], fitted: dict[int, list[LinearModel]] | None
) -> Following:
    study = state.study
    if not study.searches:
        return _use(study, state.description, state.exchanges, _defaults(study), fitted or {})
    bound = study.split.search_bound(study.search_share)
    judged = [
        Judged(model, inner.judged, bound)
        for owner in study.split.owners
        for inner in owner.inner
        for model in searched[inner.learns]
    ]
    request = ScoreRequest(study.split, tuple(judged), scale_of(study, state.description))
    return Choosing(study, state.description, state.exchanges + 1, searched, fitted, request), request


def _chosen(state: Choosing, summed: Sums) -> Following:
    study, choices, place = state.study, [], 0
    for owner in study.split.owners:
        tables = len(owner.inner) * len(study.penalties)
        choices.append(_choose(study, owner, summed, place))
        place += tables
    if state.fitted is not None:
        return _use(study, state.description, state.exchanges, tuple(choices), state.fitted)
    return _fit(study, state.description, state.exchanges, tuple(choices), state.searched)


def _choose(study: Study, owner: Owner, summed: Sums, place: int) -> Choice:
    """From the owner's tables, which begin at `place`: by inner fold, then by penalty."""
    count = len(study.penalties)
    read = error_cells_of if study.regression else cells_of
    folds = [[read(summed, place + k * count + p) for p in range(count)] for k in range(len(owner.inner))]
    position = choose_setting(folds, study.scoring)
    method: Method = "none"
    calibrator = None
    if not study.regression:
        own = [cells for fold in folds if isinstance(cells := fold[position], Cells)]
        method, calibrator = choose_calibrator(study.methods, own)
    return Choice(study.penalties[position], method, calibrator, position)


def _defaults(study: Study) -> tuple[Choice, ...]:
    return tuple(Choice(study.penalties[0], "none", None, 0) for _ in study.split.owners)


def _fit(
    study: Study,
    description: Description,
    exchanges: int,
    choices: tuple[Choice, ...],
    searched: dict[int, list[LinearModel]] | None,
) -> Following:
    """Newton's steps for the owners on all their rows, from the nearest models that were searched."""
    owners = study.split.owners
    learners = tuple(learner_of(study, description, owner.learns, 1) for owner in owners)
    penalties = tuple(np.array([choice.penalty]) for choice in choices)
    begin: tuple[Floats, ...] | None = None
    if searched is not None:
        begin = tuple(
            searched[owner.inner[0].learns][choice.position].coefficients[None]
            for owner, choice in zip(owners, choices, strict=True)
        )
    newton = start_newton(study.split, learners, penalties, begin)
    return Fitting(study, description, exchanges + 1, choices, newton), newton.request


def _fitted(state: Fitting, summed: Sums) -> Following:
    newton = advance(state.newton, summed)
    if not newton.finished:
        return Fitting(state.study, state.description, state.exchanges + 1, state.choices, newton), newton.request
    models = {
        owner.learns: [LinearModel(learner.preparation, values[0])] * len(state.study.penalties)
        for owner, learner, values in zip(
            state.study.split.owners, newton.request.learners, newton.solution(), strict=True
        )
    }
    return _use(state.study, state.description, state.exchanges, state.choices, models)


def _use(
    study: Study,
    description: Description,
    exchanges: int,
    choices: tuple[Choice, ...],
    models: dict[int, list[LinearModel]],
) -> Following:
    owners = tuple(
        FittedOwner(models[owner.learns][choice.position], choice.penalty, choice.method, choice.calibrator)
        for owner, choice in zip(study.split.owners, choices, strict=True)
    )
    judges = [one for owner, one in zip(study.split.owners, owners, strict=True) if owner.judged]
    request = EvaluationRequest(
        study.split,
        tuple(one.answers for one in judges),
        rules(description, study.features),
        scale_of(study, description),
        outputs_of(study, description),
    )
    return Evaluating(study, description, exchanges + 1, owners, request), request
