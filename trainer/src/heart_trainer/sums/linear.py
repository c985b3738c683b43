"""Linear models from sums: Newton steps for logistic regression, normal equations for ridge.

Many models are summed in one exchange: each has a set of rows that it learns from, and a penalty. The solution is that
of scikit-learn's LogisticRegression(C=1/penalty) and Ridge(alpha=penalty): the intercept is not penalised.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import expit

from heart_trainer.sums.additive import Field, Schema, Sums
from heart_trainer.sums.describe import Preparation
from heart_trainer.sums.rows import Rows, shares
from heart_trainer.sums.split import Parts, Split

Floats = Annotated[
    NDArray[np.float64],
    PlainValidator(lambda values: as_floats(values)),
    PlainSerializer(lambda values: values.tolist(), when_used="json"),
]
"""In a request on the wire: nested lists."""


def as_floats(values: object) -> NDArray[np.float64]:
    """Raises ValueError for anything but finite numbers of one shape."""
    found = np.asarray(values)
    if found.dtype.kind not in "if" or not np.isfinite(found).all():
        raise ValueError("expected finite numbers")
    return found.astype(np.float64)


NEAR = 1e-4
"""A Newton step shorter than this in every coefficient is the last: the next would be its square."""
MOST_STEPS = 30
HALVINGS = 8


@dataclass(frozen=True)
class Learner:
    """The rows of a model. `bound`: it learns from those of its parts whose `shares` are below this."""

    parts: Parts
    preparation: Preparation
    bound: float = 1.0
    offset: float = 0.0
    """Subtracted from a regression's target."""

    def rows_of(self, rows: Rows, part: NDArray[np.int64]) -> Rows:
        inside = np.isin(part, self.parts)
        return rows.take(inside & (shares(rows.draw) < self.bound) if self.bound < 1 else inside)


@dataclass(frozen=True)
class NewtonRequest:
    """Loss, gradient and Hessian of logistic models at given coefficients.

    `coefficients`: for each learner [penalties, columns + 1], the intercept last.
    """

    split: Split
    learners: tuple[Learner, ...]
    coefficients: tuple[Floats, ...]

    @property
    def models(self) -> int:
        return sum(len(values) for values in self.coefficients)

    @property
    def width(self) -> int:
        return int(self.coefficients[0].shape[1])

    def schema(self) -> Schema:
        models, width = self.models, self.width
        return (
            Field("rows", "count", (models,)),
            Field("loss", "square", (models,)),
            Field("gradient", "sum", (models, width)),
            Field("hessian", "sum", (models, width * (width + 1) // 2)),
        )

    def collect(self, rows: Rows) -> Sums:
        rows = rows.below(max(learner.bound for learner in self.learners))  # few of many in a search
        part = self.split.part_of(rows.draw)
        found = [self._of(learner.rows_of(rows, part), learner, c) for learner, c in self._pairs()]
        arrays = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
        return Sums(self.schema(), arrays)

    def _pairs(self) -> list[tuple[Learner, Floats]]:
        return list(zip(self.learners, self.coefficients, strict=True))

    def _of(self, rows: Rows, learner: Learner, coefficients: Floats) -> dict[str, NDArray[np.generic]]:
        design = learner.preparation.design(rows.x)
        margin = design @ coefficients.T
        probability = expit(margin)
        upper = np.triu_indices(self.width)
        curves = (probability * (1 - probability)).T
        return {
            "rows": np.full(len(coefficients), len(rows), "<i8"),
            "loss": (np.logaddexp(0, margin) - margin * rows.y[:, None]).sum(axis=0).clip(0),
            "gradient": (design.T @ (probability - rows.y[:, None])).T,
            "hessian": np.array([(design.T @ (design * curve[:, None]))[upper] for curve in curves]),
        }


@dataclass(frozen=True)
class NewtonState:
    """Where each model of a request stands. `done`: its coefficients are final."""

    request: NewtonRequest
    penalties: tuple[Floats, ...]
    accepted: Floats
    """[models, columns + 1]: the best coefficients so far."""
    objective: Floats
    """[models]: their penalised loss; infinite before the first exchange."""
    step: Floats
    done: NDArray[np.bool_]
    exchanges: int = 0
    halved: int = 0

    @property
    def finished(self) -> bool:
        return bool(self.done.all()) or self.exchanges >= MOST_STEPS

    def solution(self) -> tuple[Floats, ...]:
        """For each learner [penalties, columns + 1]."""
        return self.request.coefficients


def start_newton(
    split: Split, learners: tuple[Learner, ...], penalties: tuple[Floats, ...], start: tuple[Floats, ...] | None = None
) -> NewtonState:
    """`penalties`: for each learner, those of its models. `start`: coefficients to begin with, instead of zeros."""
    width = learners[0].preparation.columns + 1
    first = start or tuple(np.zeros((len(values), width)) for values in penalties)
    request = NewtonRequest(split, learners, first)
    flat, models = np.concatenate(first), request.models
    infinite = np.full(models, np.inf)
    return NewtonState(request, penalties, flat, infinite, np.zeros_like(flat), np.zeros(models, dtype=bool))


def advance(state: NewtonState, summed: Sums) -> NewtonState:
    """After one exchange: a Newton step for models that improved, half of the last step for those that did not."""
    penalty = np.concatenate(state.penalties)
    here = np.concatenate(state.request.coefficients)
    objective = summed["loss"] + penalty * (here[:, :-1] ** 2).sum(axis=1) / 2
    slack = 1e-10 * (1 + np.abs(np.where(np.isfinite(state.objective), state.objective, 0)))
    better = (objective <= state.objective + slack) | (state.halved >= HALVINGS)
    steps = np.array([_newton_step(summed, index, penalty[index], here[index]) for index in range(len(here))])
    step = np.where(better[:, None], steps, state.step / 2)
    base = np.where(better[:, None], here, state.accepted)
    following = np.where(state.done[:, None], here, base + step)
    near = better & (np.abs(step).max(axis=1) < NEAR)
    ends = np.cumsum([len(values) for values in state.penalties])[:-1]
    return replace(
        state,
        request=replace(state.request, coefficients=tuple(np.split(following, ends))),
        accepted=base,
        objective=np.where(better, objective, state.objective),
        step=step,
        done=state.done | near,
        exchanges=state.exchanges + 1,
        halved=0 if better.all() else state.halved + 1,
    )


def _newton_step(summed: Sums, index: int, penalty: float, here: Floats) -> Floats:
    width = len(here)
    ridge = np.append(np.full(width - 1, penalty), 0.0)
    hessian = symmetric(summed["hessian"][index], width) + np.diag(ridge)
    return -solve(hessian, summed["gradient"][index] + ridge * here)


@dataclass(frozen=True)
class GramRequest:
    """Normal equations of each learner: X'X and X'y with the intercept's column."""

    split: Split
    learners: tuple[Learner, ...]

    def schema(self) -> Schema:
        sets, width = len(self.learners), self.learners[0].preparation.columns + 1
        return (
            Field("rows", "count", (sets,)),
            Field("gram", "sum", (sets, width * (width + 1) // 2)),
            Field("product", "sum", (sets, width)),
        )

    def collect(self, rows: Rows) -> Sums:
        part = self.split.part_of(rows.draw)
        width = self.learners[0].preparation.columns + 1
        upper, found = np.triu_indices(width), []
        for learner in self.learners:
            own = learner.rows_of(rows, part)
            design = learner.preparation.design(own.x)
            found.append((len(own), (design.T @ design)[upper], design.T @ (own.y - learner.offset)))
        counts, grams, products = zip(*found, strict=True)
        values = {"rows": np.array(counts, "<i8"), "gram": np.array(grams), "product": np.array(products)}
        return Sums(self.schema(), values)


def solve_ridge(summed: Sums, learner: int, penalties: Floats) -> Floats:
    """[penalties, columns + 1] of one learner of a GramRequest."""
    product = summed["product"][learner]
    gram = symmetric(summed["gram"][learner], len(product))
    shrink = np.append(np.ones(len(product) - 1), 0.0)
    return np.array([solve(gram + np.diag(penalty * shrink), product) for penalty in penalties])


def symmetric(upper: Floats, width: int) -> Floats:
    """A symmetric matrix from its upper triangle, row by row."""
    matrix = np.zeros((width, width))
    matrix[np.triu_indices(width)] = upper
    return matrix + np.triu(matrix, 1).T


def solve(matrix: Floats, vector: Floats) -> Floats:
    """By Cholesky; by least squares where the matrix is singular (a column that is constant and not penalised)."""
    try:
        return np.asarray(cho_solve(cho_factor(matrix), vector))
    except LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, vector, rcond=None)[0])


@dataclass(frozen=True)
class LinearModel:
    """A fitted model: `answers` gives probabilities of class 1, or values."""

    preparation: Preparation
    coefficients: Floats
    """[columns + 1], the intercept last."""
    offset: float | None = None
    """Of a regression; None for a classifier."""

    def answers(self, x: NDArray[np.float32]) -> Floats:
        margin = self.preparation.design(x) @ self.coefficients
        return np.asarray(expit(margin) if self.offset is None else margin + self.offset)
