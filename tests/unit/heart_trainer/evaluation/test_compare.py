"""Neither version is judged on a row that it has learnt."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_api.contract import Feature, Target
from heart_api.evaluation import OutOfFold, ServingReference
from heart_api.package import ReferenceRows, ServingPackage
from heart_trainer.evaluation.compare import NotComparable, ServingModel, compare, out_of_fold
from tests.support.trainer.evaluation_tables import FEATURES, make_oof, make_table, outcomes


def _serving(
    features: tuple[Feature, ...], oof: OutOfFold, classes: tuple[int | str, ...] = ("healthy", "ill")
) -> ServingModel:
    package = ServingPackage(
        registry_name="clinic.heart",
        task="binary",
        algorithm="logistic-regression",
        features=features,
        target=Target(name="num"),
        classes=classes,
        reference=ReferenceRows(inputs=((1.0,),), outputs=((0.5, 0.5),)),
    )
    return ServingModel(ServingReference(version="3", digest="sha256:" + "a" * 64), b"onnx", package, oof)


def _never(_: bytes, x: NDArray[np.float32]) -> NDArray[np.float32]:
    raise AssertionError(f"the serving version must not be run on {len(x)} rows that it has learnt")


def test_a_version_does_not_differ_from_itself() -> None:
    y, output = outcomes()
    table, oof = make_table(y), make_oof(output)
    found = compare(table, FEATURES, oof, _serving(FEATURES, out_of_fold(table, oof)), _never, seed=0)
    assert found.rows_unseen_by_serving == 0
    assert {(d.difference, d.low, d.high) for d in found.metrics.values()} == {(0.0, 0.0, 0.0)}


def test_pairing_sees_a_small_but_steady_difference() -> None:
    y, output = outcomes()
    table = make_table(y)
    worse = np.clip(output * 0.9 + 0.05, 0, 1)  # pulled towards one half
    found = compare(
        table, FEATURES, make_oof(output), _serving(FEATURES, out_of_fold(table, make_oof(worse))), _never, 0
    )
    brier = found.metrics["brier"]
    assert brier.candidate < brier.serving
    assert brier.low < brier.difference < brier.high
    assert brier.high - brier.low < 0.02


def test_rows_that_are_new_to_the_serving_version_are_run() -> None:
    y, output = outcomes()
    table = make_table(y)
    known = out_of_fold(table, make_oof(output))
    half = OutOfFold(task="binary", predictions={key: known.predictions[key] for key in table.keys[:200]})
    seen: list[NDArray[np.float32]] = []

    def run(onnx: bytes, x: NDArray[np.float32]) -> NDArray[np.float32]:
        assert onnx == b"onnx"
        seen.append(x)
        return output[200:].astype(np.float32)

    found = compare(table, FEATURES, make_oof(output), _serving(FEATURES, half), run, seed=0)
    assert found.rows_unseen_by_serving == 100
    assert np.array_equal(seen[0], table.x[200:], equal_nan=True)
    assert found.metrics["roc_auc"].difference == pytest.approx(0, abs=1e-6)


def test_columns_reach_the_serving_version_in_its_own_order() -> None:
    y, output = outcomes()
    table = make_table(y)

    def run(_: bytes, x: NDArray[np.float32]) -> NDArray[np.float32]:
        assert np.array_equal(x, table.x[:, [2, 0]], equal_nan=True)
        return output.astype(np.float32)

    serving = _serving((FEATURES[2], FEATURES[0]), OutOfFold(task="binary", predictions={}))
    assert compare(table, FEATURES, make_oof(output), serving, run, seed=0).rows_unseen_by_serving == 300


def test_rows_learnt_but_never_judged_are_skipped() -> None:
    y, output = outcomes()
    table = make_table(y)
    held_out = replace(make_oof(output), fold=np.where(np.arange(300) < 100, 0, -1))
    stored = out_of_fold(table, held_out)
    assert stored.predictions[table.keys[150]] == ()
    found = compare(table, FEATURES, make_oof(output), _serving(FEATURES, stored), _never, seed=0)
    assert {difference.n for difference in found.metrics.values()} == {100}


def test_another_question_or_contract_is_not_compared() -> None:
    y, output = outcomes()
    table, oof = make_table(y), make_oof(output)
    stored = OutOfFold(task="binary", predictions={})
    with pytest.raises(NotComparable, match="another question"):
        compare(table, FEATURES, oof, _serving(FEATURES, stored, ("no", "yes")), _never, seed=0)
    wider = Feature(name="sex", type="category", values=("female", "male", "unknown"))
    with pytest.raises(NotComparable, match="sex"):
        compare(table, FEATURES, oof, _serving((FEATURES[0], wider), stored), _never, seed=0)


def test_the_seed_alone_decides_what_is_drawn() -> None:
    y, output = outcomes()
    table = make_table(y)
    serving = _serving(FEATURES, out_of_fold(table, make_oof(0.5 + (output - 0.5) * 0.5)))
    first, again, other = (compare(table, FEATURES, make_oof(output), serving, _never, seed) for seed in (3, 3, 4))
    assert first == again
    assert list(first.metrics) == list(again.metrics)
    assert first.metrics["brier"] != other.metrics["brier"]


def test_an_interval_that_resampling_moves_off_still_holds_the_difference() -> None:
    """The candidate's calibration error is 0, and every resample adds to it; the serving version's is constant."""
    y = np.tile([0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1], 10)
    exact, constant = np.tile(np.repeat([0.2, 0.4, 0.6, 0.8], 5), 10), np.full(200, 0.9)
    table = make_table(y)
    serving = _serving(FEATURES, out_of_fold(table, make_oof(np.column_stack([1 - constant, constant]))))
    found = compare(table, FEATURES, make_oof(np.column_stack([1 - exact, exact])), serving, _never, 0).metrics["ece"]
    assert (found.candidate, found.serving) == pytest.approx((0.0, 0.4))
    assert found.low == found.difference < found.high < 0


def test_a_figure_that_one_version_does_not_have_is_not_compared() -> None:
    y, output = outcomes()
    table = make_table(y)
    silent = np.column_stack([1 - output[:, 1] / 3, output[:, 1] / 3])
    serving = _serving(FEATURES, out_of_fold(table, make_oof(output)))
    found = compare(table, FEATURES, make_oof(silent), serving, _never, seed=0)
    assert "precision" not in found.metrics, "the candidate flags nobody"
    assert found.metrics["recall"].candidate == 0
