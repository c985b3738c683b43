"""Requests whose answers would disclose single rows; no study makes them.

A coordinator chooses coefficients and how columns are prepared; an honest one takes them from sums.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

import numpy as np
from scipy.special import expit

from heart_api.contract import Feature
from heart_trainer.sums.describe import Preparation
from heart_trainer.sums.linear import NewtonRequest
from heart_trainer.sums.rows import Rows

MOST_OF_ONE = 0.5
"""Greatest share of a sum's curvature that one row may have."""
LEAST_OF_REST = 0.02
"""Of the share that all rows but the heaviest (one less than the minimum cell) would have if all weighed the same."""


def preparations(request: object) -> Iterator[Preparation]:
    """Every one of a request, however deep it is."""
    if isinstance(request, Preparation):
        yield request
    elif isinstance(request, tuple):
        for each in request:
            yield from preparations(each)
    elif is_dataclass(request):
        for field in fields(request):
            yield from preparations(getattr(request, field.name))


def prepares(preparation: Preparation, features: Sequence[Feature]) -> bool:
    """Whether it is one of these features: a number that is read as a category would have a cell for each value."""
    expected = [(feature.type, len(feature.values or ())) for feature in features]
    numbers = [*preparation.fills, *preparation.mean, *preparation.scale]
    whole = len(numbers) == 3 * len(features) and np.isfinite(numbers).all()
    found = list(zip(preparation.kinds, preparation.sizes, strict=False))
    return bool(whole) and found == expected and len(preparation.sizes) == len(features)


def few_dominate(request: NewtonRequest, rows: Rows, minimum: int) -> bool:
    """Whether the curvature of one of the models is that of few rows, as at coefficients so large that every other
    answer is certain."""
    if minimum <= 1:
        return False
    part = request.split.part_of(rows.draw)
    for learner, coefficients in zip(request.learners, request.coefficients, strict=True):
        own = learner.rows_of(rows, part)
        if len(own) < minimum:
            continue  # its sums are empty
        probability = expit(learner.preparation.design(own.x) @ coefficients.T)
        curve = np.sort(probability * (1 - probability), axis=0)[::-1]
        whole, rest = curve.sum(axis=0), curve[minimum - 1 :].sum(axis=0)
        equal = (len(own) - minimum + 1) / len(own)
        if ((curve[0] > MOST_OF_ONE * whole) | (rest <= LEAST_OF_REST * equal * whole)).any():
            return True
    return False
