"""A coordinator that is after single rows: what it asks is refused, or answered with what many rows share."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heart_api.contract import Dataset, Feature
from heart_api.federation import SiteRequest, contract_sha256
from heart_trainer.federation.bundle import bundle_sha256
from heart_trainer.federation.disclosure import few_dominate, prepares
from heart_trainer.federation.holder import Holder
from heart_trainer.federation.holding import Holding, hold, shared, shield
from heart_trainer.federation.limits import limited
from heart_trainer.federation.messages import Ask, encode, read_tell
from heart_trainer.sums.additive import Sums
from heart_trainer.sums.bins import Axis
from heart_trainer.sums.describe import DescribeRequest, Preparation, RangeRequest
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.linear import GramRequest, Learner, LinearModel, NewtonRequest
from heart_trainer.sums.requests import encode as encode_request
from heart_trainer.sums.rows import Rows, draws
from heart_trainer.sums.scores import Judged, ScoreRequest, count_cells, stack
from heart_trainer.sums.slices import Rule
from heart_trainer.sums.split import cross_validation
from heart_trainer.sums.wire import from_bytes
from tests.support.trainer.federation import FEATURES, SECRET, TARGET, site_request

MINIMUM = 10
ROWS = 240
OLDEST, FASTEST = 97.0, 203.4375
"""Of one row alone, and far from all others."""
SPLIT = cross_validation(3)
ALL = tuple(range(SPLIT.parts))
AGE, THALACH = 0, 3


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Holding:
    rng = np.random.default_rng(5)
    names = [*(feature.name for feature in FEATURES), "num"]
    columns = [
        rng.integers(40, 80, ROWS),
        rng.integers(0, 2, ROWS),
        rng.integers(1, 5, ROWS),
        rng.normal(150, 15, ROWS).round(4),
        rng.gamma(1, 1, ROWS).round(1),
        rng.integers(0, 3, ROWS),
        rng.integers(0, 2, ROWS),
    ]
    table = np.column_stack(columns).astype(float)
    table[7, [AGE, THALACH]] = OLDEST, FASTEST
    path: Path = tmp_path_factory.mktemp("disclosure") / "rows.csv"
    header = ",".join(names)
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.9g")
    return hold(request(), SECRET, path)


def request() -> SiteRequest:
    dataset = Dataset(uri="https://example.org/rows.csv")
    return site_request("hospital-01", dataset=dataset, minimum_cell=MINIMUM)


def plain() -> Preparation:
    """Columns as they are."""
    kinds = tuple(feature.type for feature in FEATURES)
    sizes = tuple(len(feature.values or ()) for feature in FEATURES)
    nothing = (0.0,) * len(FEATURES)
    return Preparation(kinds, sizes, nothing, nothing, (1.0,) * len(FEATURES))


def said(held: Holding, asked: Any, holder: Holder | None = None) -> tuple[str, Sums | None]:
    """(why it was refused, the answer)"""
    head = Ask(
        kind="sums",
        model="clinic/heart",
        trigger="t-1",
        contract_sha256=contract_sha256("classification", TARGET, FEATURES),
        folds_key="k",
    )
    holder = holder or Holder(request(), held)
    tell, body = read_tell(holder.answer(encode(head, encode_request(asked)), bundle_sha256()))
    return (tell.refusal.message, None) if tell.refusal else ("", from_bytes(asked.schema(), body))


def steep(threshold: float, slope: float = 50.0) -> NewtonRequest:
    """Coefficients with which only rows at this age weigh anything."""
    preparation = plain()
    coefficients = np.zeros((1, preparation.columns + 1))
    coefficients[0, 0], coefficients[0, -1] = slope, -slope * threshold
    return NewtonRequest(SPLIT, (Learner(ALL, preparation),), (coefficients,))


def raw(held: Holding) -> Rows:
    return Rows(held.plain, held.y, draws(held.plain, b"k"))


def test_the_attack_would_read_a_single_row_off_exact_sums(held: Holding) -> None:
    """What is refused below is no straw man: the curvature is that of the oldest patient alone."""
    found = steep(OLDEST).collect(raw(held))["hessian"][0]
    assert found[-1] == pytest.approx(0.25)
    width = plain().columns + 1
    with_intercept = [found[list(zip(*np.triu_indices(width), strict=True)).index((i, width - 1))] for i in (0, 1)]
    assert [value / found[-1] for value in with_intercept] == pytest.approx([OLDEST, FASTEST], rel=1e-6)


@pytest.mark.parametrize("threshold", [OLDEST, 20.0, 150.0])
def test_sums_that_are_those_of_a_few_rows_are_refused(held: Holding, threshold: float) -> None:
    refusal, _ = said(held, steep(threshold))
    assert "a few rows" in refusal


def test_an_honest_model_is_answered_even_where_it_is_sure(held: Holding) -> None:
    assert said(held, steep(60.0, slope=0.3))[0] == ""


def test_even_a_single_shielded_row_shows_only_values_that_many_share(held: Holding) -> None:
    for column in (AGE, THALACH):
        _, counts = np.unique(held.x[:, column], return_counts=True)
        assert counts.min() >= MINIMUM
        assert held.x[:, column].max() < held.plain[:, column].max()
    assert not np.isin(held.x[:, THALACH], np.float32([FASTEST])).any()


def test_two_descriptions_with_bins_apart_differ_by_no_single_value(held: Holding) -> None:
    """The differencing attack: what is below an edge, and below another one a little further."""
    holder = Holder(request(), held)
    below = []
    for edge in np.arange(60.0, 240.0, 3.0):
        axes = tuple(Axis(edge - 1000 * 1000.0, 1000.0, 2000, False) for _ in range(len(FEATURES) + 1))
        refusal, found = said(held, DescribeRequest(FEATURES, axes, SPLIT), holder)
        assert refusal == ""
        assert found is not None
        below.append(int(found["histogram"].sum(axis=0)[THALACH, :1000].sum()))
    steps = np.diff(below)
    assert ((steps == 0) | (steps >= MINIMUM)).all()


def test_the_extremes_of_a_column_are_not_told(held: Holding) -> None:
    """A bin for itself: the count of its neighbours is with it, or it is empty."""
    axes = tuple(Axis(OLDEST - 0.5 - 1000, 1.0, 2000, True) for _ in range(len(FEATURES) + 1))
    _, found = said(held, DescribeRequest(FEATURES, axes, SPLIT))
    assert found is not None
    assert found["histogram"].sum(axis=0)[AGE, 1000:].sum() == 0
    _, ranges = said(held, RangeRequest(FEATURES))
    assert ranges is not None
    assert ranges["coarse"][ranges["coarse"] > 0].min() >= MINIMUM


def categories(column: int) -> Preparation:
    """A number that is read as a category of a hundred values: a cell for each."""
    one = plain()
    kinds = (*one.kinds[:column], "category", *one.kinds[column + 1 :])
    sizes = (*one.sizes[:column], 100, *one.sizes[column + 1 :])
    return replace(one, kinds=kinds, sizes=sizes)


def broken(**change: Any) -> Preparation:
    return replace(plain(), **change)


@pytest.mark.parametrize(
    "preparation",
    [
        categories(AGE),
        broken(scale=(float("nan"),) * len(FEATURES)),
        broken(fills=(0.0,)),
        broken(kinds=plain().kinds[:-1], sizes=plain().sizes[:-1]),
    ],
)
def test_columns_are_read_as_the_contract_has_them_and_not_otherwise(held: Holding, preparation: Preparation) -> None:
    assert not prepares(preparation, FEATURES)
    assert prepares(plain(), FEATURES)
    refusal, _ = said(held, GramRequest(SPLIT, (Learner(ALL, preparation),)))
    assert refusal
    width = preparation.columns + 1
    judged = Judged(LinearModel(preparation, np.zeros(width)), ALL)
    assert said(held, ScoreRequest(SPLIT, (judged,)))[0]


def test_the_digits_of_a_sum_of_probabilities_do_not_tell_which_answers_it_is_made_of() -> None:
    """Answers that differ in a far digit count how many rows gave each of them; only the bin of their mean is told."""
    y = np.zeros(40)
    coded = np.full(40, 0.3002) + np.where(np.arange(40) == 3, 2.0**-30, 0.0)
    innocent = np.full(40, 0.3002)
    asked: Any = ScoreRequest(SPLIT, (None,))  # type: ignore[arg-type]
    one, other = (limited(asked, stack([count_cells(y, p, None)], False), MINIMUM) for p in (coded, innocent))
    assert np.array_equal(one["probability"], other["probability"])
    assert one["rows"].sum() == 40


@pytest.mark.parametrize(
    "asked",
    [
        GramRequest(SPLIT, (Learner((99,), plain()),)),
        NewtonRequest(SPLIT, (Learner(ALL, plain()),), (np.zeros((1, 3)),)),
        ScoreRequest(SPLIT, (Judged(LinearModel(plain(), np.zeros(2)), ALL),)),
        EvaluationRequest(
            SPLIT, (LinearModel(plain(), np.zeros(plain().columns + 1)),) * 3, (Rule("age", "x", 99, 0, 1),)
        ),
        EvaluationRequest(SPLIT, (LinearModel(plain(), np.zeros(plain().columns + 1)),), ()),
    ],
)
def test_what_does_not_fit_never_ends_the_site(held: Holding, asked: Any) -> None:
    """It is refused, or answered with nothing."""
    refusal, found = said(held, asked)
    assert refusal or found is not None


@pytest.mark.parametrize("minimum", [1, 5, 30])
def test_shielding_keeps_means_and_grids(minimum: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(30, 90, 400).astype(float)
    found = shared(values, minimum)
    assert abs(found.mean() - values.mean()) < 0.5
    assert np.array_equal(found, np.round(found))  # whole numbers stay whole numbers
    assert np.unique(found, return_counts=True)[1].min() >= minimum


def test_a_column_of_few_values_says_nothing() -> None:
    x = np.full((40, 1), np.nan, np.float32)
    x[:4, 0] = [1.0, 2.0, 3.0, 4.0]
    assert np.isnan(shield(x, (Feature(name="a", type="number"),), 5)).all()


def test_a_set_of_fewer_rows_than_the_minimum_is_left_to_the_limits(held: Holding) -> None:
    own = raw(held)
    few = own.take(np.arange(len(own)) < 5)
    assert not few_dominate(steep(OLDEST), few, MINIMUM)
    assert not limited(steep(OLDEST), steep(OLDEST).collect(few), MINIMUM)["hessian"].any()
