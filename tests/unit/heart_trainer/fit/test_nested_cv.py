"""Nested estimates: honest on noise, good on real data, the same when run again."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from heart_api.contract import Dataset, Target
from heart_api.training import Algorithm
from heart_trainer.data.load import load
from heart_trainer.errors import DataInvalid
from heart_trainer.fit import nested_cv
from heart_trainer.fit.families import Setting
from heart_trainer.fit.nested_cv import fit, processes
from heart_trainer.fit.onnx_export import run_onnx
from heart_trainer.fit.search import Search
from heart_trainer.values import Fitted, Table
from tests.support.real_data import CALIFORNIA, CLEVELAND, real_file
from tests.support.soak import SOAK
from tests.support.trainer.requests import (
    MIXED,
    heart_request,
    mixed_rows,
    noise,
    number,
    request,
    synthetic_patients,
    table,
)

QUICK: dict[str, Any] = {"algorithms": ("logistic-regression", "gradient-boosting"), "tuning": {"trials": 2}}


def quiet(_: str) -> None:
    pass


def auc(rows: Table, fitted: Fitted) -> float:
    return float(roc_auc_score(rows.y, fitted.oof.output[:, 1]))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not SOAK, reason="the e2e tests train it; here in make test-soak")
def test_cleveland_with_every_default() -> None:
    rows = load(heart_request(), {"HEARTOPS_ROW_KEY": "test"}, real_file(CLEVELAND))
    told: list[str] = []
    fitted = fit(rows, heart_request(), told.append)
    probability = fitted.oof.output[:, 1]
    assert auc(rows, fitted) >= 0.90
    assert np.mean((probability - rows.y) ** 2) <= 0.125
    assert fitted.oof.judged.all()
    assert len(fitted.oof.choices) == 5
    assert fitted.parity.holds
    assert fitted.pipeline.predict_proba(rows.x).shape == (303, 2)
    assert any("6 of 6" in line for line in told), "a person sees how far it is"


def twice(rows: Table, seed: int = 0) -> Table:
    shuffled = np.random.default_rng(seed).permutation(np.tile(np.arange(len(rows)), 2))
    return table(rows.x[shuffled], rows.y[shuffled], 2)


def test_each_family_that_was_tried_gets_out_of_fold_predictions() -> None:
    """Those of the family that every fold chose are the version's own; noise fools none of them."""
    wanted = heart_request(**QUICK, crossValidation={"folds": 3})
    rows = synthetic_patients()
    fitted = fit(rows, wanted, quiet)
    assert set(fitted.oof.families) == set(QUICK["algorithms"])
    assert not any(np.isnan(output).any() for output in fitted.oof.families.values())
    for k, choice in enumerate(fitted.oof.choices):
        held = fitted.oof.fold == k
        assert np.array_equal(fitted.oof.families[choice.algorithm][held], fitted.oof.output[held])
    nothing = table(*noise(300), 2)
    plain = request(MIXED, **QUICK, crossValidation={"folds": 3})
    for output in fit(nothing, plain, quiet).oof.families.values():
        assert 0.35 < roc_auc_score(nothing.y, output[:, 1]) < 0.65


def test_with_many_rows_only_the_chosen_family_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested_cv, "FAMILY_ROWS", 100)
    fitted = fit(synthetic_patients(), heart_request(**QUICK, crossValidation={"folds": 2}), quiet)
    assert fitted.oof.families == {}
    assert len(fitted.families) == 2


def test_every_row_twice_scores_no_better_and_makes_the_same_model() -> None:
    rows = synthetic_patients()
    families = ("random-forest", "gradient-boosting")
    wanted = heart_request(algorithms=families, tuning={"trials": 1}, crossValidation={"folds": 2})
    plain = fit(rows, wanted, quiet)
    copied = twice(rows)
    double = fit(copied, wanted, quiet)
    assert auc(copied, double) == auc(rows, plain)
    assert double.onnx == plain.onnx
    assert not set(double.oof.fold[copied.groups == 0]) - {double.oof.fold[copied.groups == 0][0]}


def test_rows_that_repeat_others_do_not_flatter() -> None:
    """The well-known heart file of 1,025 rows repeats 723 of them: an ordinary split scores .999 on it."""
    x, y = noise(200)
    drawn = np.random.default_rng(3).integers(0, 200, 700)
    rows = table(x[drawn], y[drawn], 2)
    fitted = fit(rows, request(MIXED, algorithms=("random-forest",), tuning={"trials": 0}), quiet)
    first = np.unique(rows.groups, return_index=True)[1]
    assert roc_auc_score(rows.y[first], fitted.oof.output[first, 1]) < 0.62


def test_the_same_seed_gives_the_same_bits_however_many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = synthetic_patients()
    wanted = heart_request(**QUICK, crossValidation={"folds": 2})
    one = fit(rows, wanted, quiet)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    other = fit(rows, wanted, quiet)
    assert one.onnx == other.onnx
    np.testing.assert_array_equal(one.oof.output, other.oof.output)
    assert one.oof.choices == other.oof.choices
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    linear = {"algorithms": ("logistic-regression",), "tuning": {"trials": 0}, "crossValidation": {"folds": 2}}
    reseeded = fit(rows, heart_request(**linear, seed=7), quiet)
    assert (reseeded.oof.fold != one.oof.fold).any()


@pytest.mark.parametrize(
    ("rows", "algorithms", "trials", "wanted"),
    [
        (300, ("logistic-regression",), 0, 1),
        (300, ("logistic-regression",), 40, 2),
        (20_000, ("ridge",), 0, 2),
        (300, ("logistic-regression", "random-forest"), 0, 2),
        (300, ("stacking",), 0, 2),
    ],
)
def test_few_linear_fits_are_done_before_a_process_has_started(
    rows: int, algorithms: tuple[Algorithm, ...], trials: int, wanted: int
) -> None:
    search = Search(algorithms, trials, 60, score=lambda *_: 0.0, setting=Setting((), regression=False, seed=1))
    assert processes(rows, 6, search, cores=2) == wanted
    assert processes(rows, 1, search, cores=2) == 1


@pytest.mark.real_data
def test_california_housing() -> None:
    columns = (
        *("longitude", "latitude", "housingMedianAge", "totalRooms", "totalBedrooms", "population"),
        *("households", "medianIncome", "medianHouseValue"),
    )
    wanted = request(
        tuple(number(name) for name in columns[:-1]),
        Target(name=columns[-1], unit="$"),
        Dataset(uri="https://data.example.org/cal_housing.data", columns=columns),
        task="regression",
        algorithms=("ridge", "gradient-boosting"),
        tuning={"trials": 0},
    )
    rows = load(wanted, {}, real_file(CALIFORNIA))
    fitted = fit(rows, wanted, quiet)
    assert fitted.algorithm == "gradient-boosting"
    assert root_mean_squared_error(rows.y, fitted.oof.output[:, 0]) / 100_000 <= 0.50
    assert fitted.parity.holds
    np.testing.assert_allclose(run_onnx(fitted.onnx, rows.x)[:, 0], fitted.pipeline.predict(rows.x), rtol=1e-4)


def test_several_classes_and_calibration() -> None:
    x, score = mixed_rows(1200)
    y = np.digitize(score, [0.0, 2.0])
    rows = table(x, y, 3)
    forest = {"algorithms": ("random-forest",), "tuning": {"trials": 0}, "crossValidation": {"folds": 3}}
    wanted = request(MIXED, **forest, calibration="isotonic")
    fitted = fit(rows, wanted, quiet)
    assert fitted.calibration == "isotonic"
    assert fitted.oof.output.shape == (1200, 3)
    np.testing.assert_allclose(fitted.oof.output.sum(axis=1), 1)
    assert np.mean(fitted.oof.output.argmax(axis=1) == y) > 0.55
    np.testing.assert_allclose(run_onnx(fitted.onnx, x), fitted.pipeline.predict_proba(x), atol=1e-5)


def test_holdout_judges_rows_that_the_final_model_never_saw() -> None:
    x, score = mixed_rows(600)
    rows = table(x, (score > 1).astype(np.int64), 2)
    wanted = request(MIXED, holdout=0.3, **QUICK)
    fitted = fit(rows, wanted, quiet)
    judged = fitted.oof.judged
    assert 0.2 < judged.mean() < 0.4
    assert np.isnan(fitted.oof.output[~judged]).all()
    assert len(fitted.oof.choices) == 1
    np.testing.assert_array_equal(fitted.oof.output[judged], fitted.pipeline.predict_proba(x[judged]))
    changed = rows.y.copy()
    changed[judged] = 1 - changed[judged]
    other = fit(Table(**{**vars(rows), "y": changed}), wanted, quiet)
    assert other.onnx == fitted.onnx, "what the kept-out rows say cannot reach the model"


def test_too_small_a_holdout_is_rejected() -> None:
    x, score = mixed_rows(60)
    with pytest.raises(DataInvalid, match="crossValidation instead"):
        fit(table(x, (score > 1).astype(np.int64), 2), request(MIXED, holdout=0.01), quiet)


def test_a_family_of_the_other_task_is_rejected() -> None:
    x, score = mixed_rows(60)
    rows = table(x, (score > 1).astype(np.int64), 2)
    with pytest.raises(DataInvalid, match="ridge does not fit task classification"):
        fit(rows, request(MIXED, algorithms=("ridge",)), quiet)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_a_regression_is_as_good_in_any_unit(scale: float) -> None:
    x, score = mixed_rows(400)
    rows = table(x, score * scale, 0)
    fitted = fit(rows, request(MIXED, task="regression", algorithms=("ridge",), tuning={"trials": 0}), quiet)
    error = root_mean_squared_error(rows.y, fitted.oof.output[:, 0])
    assert error < 0.75 * rows.y.std()
    assert fitted.parity.holds
