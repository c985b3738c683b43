"""Models and evaluations from sums beside the same procedure on rows: the bounds are those of docs/large-data.md."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from heart_trainer.errors import DataInvalid
from heart_trainer.fit.families import Setting
from heart_trainer.fit.onnx_export import run_onnx, to_bytes
from heart_trainer.fit.predict import predict
from heart_trainer.sums.additive import StatisticRejected, Sums
from heart_trainer.sums.driver import start, step
from heart_trainer.sums.evaluation import measure
from heart_trainer.sums.pipeline import fitted_pipeline
from heart_trainer.sums.rows import Rows, draws
from heart_trainer.sums.split import cross_validation, hold_out
from heart_trainer.sums.study import Study
from tests.support.trainer.pooled import (
    FEATURES,
    Pooled,
    cohort,
    exchange,
    fit_all,
    holders,
    numbers,
    pooled,
    run,
    study,
)

BOUND = 0.01
"""Of an interval's end: two bootstraps of 1,000 resamples differ by as much."""


def worst(summed: dict[str, object], row_wise: Pooled) -> dict[str, tuple[float, float]]:
    """Metric → (difference of the estimate, greatest difference of an end of its interval)."""
    found = {}
    for name, expected in row_wise.figures.items():
        got = summed[name]
        ends = (abs(got.low - expected.low), abs(got.high - expected.high))  # type: ignore[attr-defined]
        found[name] = abs(got.estimate - expected.estimate), max(ends)  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("methods", [("none",), ("none", "sigmoid", "isotonic")])
def test_summed_and_pooled_figures_agree(methods: tuple[str, ...]) -> None:
    what, rows = study(methods=methods), cohort(900, seed=1)
    found = run(what, holders(rows, 3)).measurement().metrics
    row_wise = pooled(what, rows)
    assert found.keys() == row_wise.figures.keys()
    apart = worst(found, row_wise)
    assert apart["roc_auc"][0] < 1e-4
    assert apart["brier"][0] < 1e-5
    assert apart["roc_auc"][1] < BOUND
    assert apart["brier"][1] < BOUND


def test_the_number_of_holders_changes_nothing_but_rounding() -> None:
    rows = cohort(900, seed=2)
    one, many = (run(study(), holders(rows, count)) for count in (1, 7))
    np.testing.assert_allclose(one.final.model.coefficients, many.final.model.coefficients, atol=1e-10)
    assert one.tables.values.keys() == many.tables.values.keys()
    assert np.array_equal(one.tables["rows"], many.tables["rows"])


def test_a_nested_cross_validation_takes_about_eight_exchanges() -> None:
    assert run(study(), holders(cohort(900, seed=3), 3)).exchanges <= 11


def test_the_final_model_is_that_of_a_fit_on_all_rows() -> None:
    what, rows = study(), cohort(600, seed=4)
    found = run(what, holders(rows, 2))
    expected = fit_all(what, rows, found.final.penalty)
    pipeline = fitted_pipeline(found.final.model, Setting(FEATURES, False, 0), found.final.penalty)
    x = rows.x.astype(np.float64)
    np.testing.assert_allclose(predict(pipeline, x), predict(expected, x), atol=1e-6)
    np.testing.assert_allclose(pipeline["model"].coef_, expected["model"].coef_, atol=1e-6)  # type: ignore[index]


def test_the_pipeline_becomes_an_onnx_file_with_the_same_answers() -> None:
    rows = cohort(600, seed=5)
    found = run(study(), [rows])
    pipeline = fitted_pipeline(found.final.model, Setting(FEATURES, False, 0), found.final.penalty)
    answers = run_onnx(to_bytes(pipeline, rows.x.shape[1]), rows.x)
    np.testing.assert_allclose(answers[:, 1], found.final.answers.answers(rows.x), atol=1e-5)


def test_a_search_on_a_share_of_the_rows_ends_in_models_of_all_rows() -> None:
    rows = cohort(3000, seed=6)
    share = run(study(search_share=0.3), [rows])
    whole = run(study(penalties=(share.final.penalty,)), [rows])
    np.testing.assert_allclose(share.final.model.coefficients, whole.final.model.coefficients, atol=1e-6)


def test_rows_that_are_held_out_are_judged_and_never_learnt() -> None:
    rows = cohort(2000, seed=7)
    what = Study(FEATURES, False, hold_out(0.25), (10.0, 1.0), ("none",), "roc_auc", 42)
    found = run(what, [rows])
    held = what.split.fold_of(what.split.part_of(rows.draw)) >= 0
    assert 0.2 < held.mean() < 0.3
    assert found.measurement().metrics["roc_auc"].n == held.sum()
    changed = Rows(rows.x, np.where(held, 1 - rows.y, rows.y), rows.draw)
    again = run(what, [changed])
    np.testing.assert_array_equal(found.final.model.coefficients, again.final.model.coefficients)


@pytest.mark.parametrize("folds", [2, 3, 5, 8])
def test_no_model_is_judged_on_what_it_learnt_from(folds: int) -> None:
    split = cross_validation(folds)
    assert sorted(part for owner in split.owners for part in owner.judged) == list(range(split.parts))
    for owner in split.owners:
        assert not set(split.sets[owner.learns]) & set(owner.judged)
        assert sorted(part for inner in owner.inner for part in inner.judged) == sorted(split.sets[owner.learns])
        for inner in owner.inner:
            assert not set(split.sets[inner.learns]) & {*inner.judged, *owner.judged}
            assert split.sets[inner.learns]


def test_equal_features_share_a_fold_wherever_they_are_held() -> None:
    x = np.array([[1.0, np.nan], [0.0, 2.0]], np.float32)
    other = np.array([[-0.0, 2.0], [1.0, -np.float32(np.nan)]], np.float32)
    assert draws(x, b"k").tolist() == draws(other, b"k")[::-1].tolist()
    assert draws(x, b"k").tolist() != draws(x, b"another").tolist()


def test_ridge_from_sums_is_ridge() -> None:
    rows = numbers(800, seed=8)
    what = study(penalties=(1.0, 100.0), regression=True, scoring="rmse")
    found, row_wise = run(what, holders(rows, 3)), pooled(what, rows)
    apart = worst(found.measurement().metrics, row_wise)
    assert all(apart[name][0] < 1e-6 for name in ("rmse", "mae", "r2"))
    assert all(apart[name][1] < 0.1 for name in ("rmse", "mae"))
    design = found.final.model.preparation.design(rows.x)[:, :-1]
    expected = Ridge(alpha=found.final.penalty).fit(design, rows.y)
    np.testing.assert_allclose(found.final.model.coefficients[:-1], expected.coef_, atol=1e-8)
    assert found.exchanges <= 5


def test_slices_and_gaps_are_those_of_the_rows() -> None:
    what, rows = study(penalties=(10.0,)), cohort(900, seed=9, missing=0)
    measured = run(what, holders(rows, 3)).measurement()
    groups = {(one.feature, one.group): one.metrics["roc_auc"].n for one in measured.slices}
    assert groups["sex", "0"] == (rows.x[:, 1] == 0).sum()
    assert sum(n for (feature, _), n in groups.items() if feature == "age") == len(rows)
    assert {gap.feature for gap in measured.gaps} == {"age", "sex"}


def test_each_site_is_a_group_and_sites_are_compared() -> None:
    what, rows = study(penalties=(10.0,)), cohort(900, seed=12)
    sites = holders(rows, 3)
    trained = run(what, sites)
    by_name = {f"hospital-{number}": trained.request.collect(site) for number, site in enumerate(sites)}
    measured = measure(trained.request, trained.tables, 42, by_name)
    groups = {one.group: one.metrics["roc_auc"].n for one in measured.slices if one.feature == "site"}
    assert groups == {f"hospital-{number}": len(site) for number, site in enumerate(sites)}
    assert "site" in {gap.feature for gap in measured.gaps}


def test_a_fold_of_too_few_rows_of_a_class_is_named() -> None:
    rows = cohort(300, seed=10)
    rare = rows.take((rows.y == 0) | (np.cumsum(rows.y) <= 30))
    with pytest.raises(DataInvalid, match="of the rarer class; 10 of each class are needed"):
        run(study(), [rare])


def test_a_holder_whose_histogram_contradicts_its_counts_is_rejected() -> None:
    rows = cohort(300, seed=11)
    state, request = start(study())
    state, request = step(state, exchange(request, [rows]))  # type: ignore[misc]
    honest = exchange(request, [rows])
    lie = honest["histogram"].copy()
    lie[0, 0, 0] += 7
    with pytest.raises(StatisticRejected, match="histogram: does not add up"):
        step(state, Sums(honest.schema, {**honest.values, "histogram": lie}))
