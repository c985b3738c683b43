"""Figures from cells beside those of the same rows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_trainer.evaluation.bootstrap import Sample
from heart_trainer.evaluation.evaluate import estimates
from heart_trainer.evaluation.metrics import net_benefit
from heart_trainer.fit import calibrate
from heart_trainer.sums.bins import EDGES, Axis, axis_of, coarse_code, coarse_edges, on_grids, score_bin
from heart_trainer.sums.calibration import choose_calibrator
from heart_trainer.sums.figures import decision_curve, measured, point, reliability
from heart_trainer.sums.paired import PairedRequest, compare_tables, count_error_pairs, count_pairs
from heart_trainer.sums.scores import Cells, Scale, cells_of, count_cells, stack
from heart_trainer.sums.split import hold_out

TOLERANCE = {"roc_auc": 5e-4, "pr_auc": 1e-3, "calibration_slope": 1e-3, "brier": 1e-6, "log_loss": 1e-5}


def scores(rows: int, seed: int, shift: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    y = rng.binomial(1, 0.3, rows)
    return y, 1 / (1 + np.exp(-(rng.normal(0, 1.2, rows) + 2 * y - 1.5 + shift)))


def cells(y: NDArray[np.int64], p: NDArray[np.float64]) -> Cells:
    return cells_of(stack([count_cells(y.astype(float), p, None)], False), 0)


def both(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([1 - p, p])


@pytest.mark.parametrize("shift", [0.0, -4.0])
def test_figures_and_intervals_of_cells_are_those_of_rows(shift: float) -> None:
    """Also for an event so rare that most probabilities are below a hundredth."""
    y, p = scores(4000, 1, shift)
    row_wise = estimates(Sample("binary", y, both(p), np.arange(len(y))), seed=3)
    found = measured(cells(y, p), seed=3).estimates
    assert found.keys() == row_wise.keys()
    for name, expected in row_wise.items():
        assert found[name].estimate == pytest.approx(expected.estimate, abs=TOLERANCE.get(name, 1e-9)), name
        width = expected.high - expected.low
        assert found[name].low == pytest.approx(expected.low, abs=0.15 * width), name
        assert found[name].high == pytest.approx(expected.high, abs=0.15 * width), name
        assert (found[name].n, found[name].events) == (expected.n, expected.events)


def test_a_table_of_one_class_defines_means_alone() -> None:
    p = np.array([0.2, 0.7, 0.9])
    assert point(cells(np.ones(3, np.int64), p)).keys() == {"accuracy", "brier", "recall"}
    assert point(cells(np.zeros(3, np.int64), p)).keys() == {"accuracy", "brier"}
    assert point(cells(np.zeros(0, np.int64), np.zeros(0))) == {}


def test_a_threshold_of_whole_thousandths_is_the_end_of_a_bin() -> None:
    thresholds = np.arange(10, 991) / 1000
    assert np.array_equal(EDGES[score_bin(thresholds)], thresholds)
    assert score_bin(np.array([0.0, 1.0])).tolist() == [0, len(EDGES) - 1]


def test_the_decision_curve_is_exact() -> None:
    y, p = scores(2000, 2)
    thresholds = (0.05, 0.1, 0.333, 0.5, 0.9)
    expected = [net_benefit(y, p, threshold) for threshold in thresholds]
    np.testing.assert_allclose(decision_curve(cells(y, p), thresholds), expected, atol=1e-12)


def test_reliability_counts_every_row_once_and_keeps_the_means() -> None:
    y, p = scores(2000, 3)
    found = reliability(cells(y, p))
    assert found[:, 2].sum() == 2000
    assert np.abs(found[:, 2] - 200).max() < 20
    assert (found[:, 0] @ found[:, 2]) / 2000 == pytest.approx(p.mean())
    assert (found[:, 1] @ found[:, 2]) / 2000 == pytest.approx(y.mean())


@pytest.mark.parametrize("methods", [("none", "sigmoid"), ("none", "sigmoid", "isotonic"), ("isotonic",)])
def test_calibration_from_cells_is_that_of_rows(methods: tuple[calibrate.Method, ...]) -> None:
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.02, 0.98, 6000)
    y, p = rng.binomial(1, truth), truth**2 / (truth**2 + (1 - truth) ** 2)
    fold = rng.integers(0, 3, len(y))
    wanted = calibrate.choose(methods, both(p), y, fold)
    expected = calibrate.learn(wanted, both(p), y)
    method, calibrator = choose_calibrator(methods, [cells(y[fold == k], p[fold == k]) for k in range(3)])
    assert method == wanted
    assert expected is not None
    assert calibrator is not None
    grid = np.linspace(0.01, 0.99, 99)
    # The steps of an isotonic fit move by the width of a bin.
    bound = 0.02 if method == "isotonic" else 1e-3
    np.testing.assert_allclose(calibrator(both(grid)), expected(both(grid)), atol=bound)


def test_a_paired_comparison_from_a_histogram_is_that_of_rows() -> None:
    from heart_trainer.evaluation.compare import _paired

    y, p = scores(3000, 5)
    q = np.clip(p + np.random.default_rng(6).normal(0, 0.1, len(p)), 0.001, 0.999)
    samples = [Sample("binary", y, both(each), np.arange(len(y))) for each in (p, q)]
    expected = _paired(samples[0], samples[1], seed=1)
    schema = PairedRequest(hold_out(0.2), (), None).schema()  # type: ignore[arg-type]
    found = compare_tables(count_pairs(schema, y, p, q), seed=1)
    for name in ("roc_auc", "brier", "accuracy", "log_loss", "recall"):
        width = expected[name].high - expected[name].low
        assert found[name].difference == pytest.approx(expected[name].difference, abs=0.05 * width), name
        assert found[name].low == pytest.approx(expected[name].low, abs=0.2 * width), name
        assert found[name].high == pytest.approx(expected[name].high, abs=0.2 * width), name


def test_a_paired_comparison_of_regressions_is_that_of_rows() -> None:
    from heart_trainer.evaluation.compare import _paired

    rng = np.random.default_rng(9)
    y = rng.normal(140, 20, 2000)
    p, q = (y + rng.normal(0, deviation, len(y)) for deviation in (9, 10))
    samples = [Sample("regression", y, each[:, None], np.arange(len(y))) for each in (p, q)]
    expected = _paired(samples[0], samples[1], seed=1)
    scale = Scale(float(y.mean()), float(y.std()))
    schema = PairedRequest(hold_out(0.2), (), (), scale).schema()
    found = compare_tables(count_error_pairs(schema, y, p, q, scale), seed=1)
    assert set(found) == {"rmse", "mae", "r2"}
    for name, one in found.items():
        width = expected[name].high - expected[name].low
        assert one.difference == pytest.approx(expected[name].difference, abs=1e-9), name
        assert one.low == pytest.approx(expected[name].low, abs=0.2 * width), name
        assert one.high == pytest.approx(expected[name].high, abs=0.2 * width), name
        assert one.events is None


def test_a_cell_whose_sum_does_not_fit_its_bin_is_rejected() -> None:
    from heart_trainer.sums.additive import StatisticRejected, Sums

    y, p = scores(100, 7)
    summed = stack([count_cells(y.astype(float), p, None)], False)
    lie = Sums(summed.schema, {**summed.values, "probability": summed["probability"] + summed["rows"] * 0.2})
    with pytest.raises(StatisticRejected, match="probability: does not fit the bins"):
        cells_of(lie, 0)


def test_coarse_bins_are_in_the_order_of_the_numbers_and_hold_them() -> None:
    values = np.array([-1e30, -3.5, -1e-20, 0.0, 1e-20, 0.1, 7.0, 130.0, 2.5e9], np.float32)
    code = coarse_code(values)
    assert (np.diff(code) > 0).all()
    low, high = coarse_edges(code)
    assert ((low <= values) & (values <= high)).all()


def axis_for(values: NDArray[np.float64], minimum: float | None = None, maximum: float | None = None) -> Axis:
    coarse = np.bincount(coarse_code(values.astype(np.float32)), minlength=4096)
    return axis_of(coarse, on_grids(values.astype(np.float32)), minimum, maximum)


def test_medians_of_rounded_numbers_are_exact_and_others_near() -> None:
    rng = np.random.default_rng(8)
    whole, real = np.round(rng.normal(130, 20, 1001)), rng.lognormal(0, 1, 5000)
    tenths = np.round(rng.normal(36.8, 0.7, 1000), 1)
    for values, bound in ((whole, 0.0), (whole[:-1], 0.0), (tenths, 1e-9), (real, np.ptp(real) / 1000)):
        axis = axis_for(values)
        counts = np.bincount(axis.place(values), minlength=axis.bins)
        assert axis.quantiles(counts, np.array([0.5]))[0] == pytest.approx(np.median(values), abs=bound)


def test_one_absurd_value_does_not_cost_the_others_their_bins() -> None:
    values = np.append(np.random.default_rng(9).normal(37, 0.5, 5000), 1e30)
    axis = axis_for(values)
    assert axis.width < 0.02
    counts = np.bincount(axis.place(values), minlength=axis.bins)
    assert counts.sum() == len(values)
    assert axis.quantiles(counts, np.array([0.5]))[0] == pytest.approx(np.median(values), abs=0.02)
