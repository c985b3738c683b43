"""Leaks are found; honest data pass."""

from dataclasses import replace

import numpy as np
import pytest

from heart_api.evaluation import Estimate
from heart_trainer.evaluation.findings import duplicates, leakage, onnx_parity
from heart_trainer.values import Table
from tests.support.trainer.judged import FEATURES, make_table


@pytest.fixture
def honest() -> Table:
    return make_table(np.random.default_rng(3).integers(0, 2, 200))


def _auc(low: float) -> dict[str, Estimate]:
    return {"roc_auc": Estimate(n=200, events=90, estimate=0.995, low=low, high=1.0)}


def test_noise_passes(honest: Table) -> None:
    assert leakage(honest, FEATURES, _auc(0.93)).verdict == "Passed"
    assert duplicates(honest).verdict == "Passed"


def test_a_figure_that_is_too_good_fails(honest: Table) -> None:
    found = leakage(honest, FEATURES, _auc(0.992))
    assert found.verdict == "Failed"
    assert "too good" in found.message


@pytest.mark.parametrize("column", ["threshold", "missing"])
def test_a_column_that_gives_the_target_away_is_named(honest: Table, column: str) -> None:
    x = honest.x.copy()
    x[:, 0] = np.where(honest.y == 1, 60, 50) if column == "threshold" else np.where(honest.y == 1, np.nan, x[:, 0])
    found = leakage(replace(honest, x=x), FEATURES, {})
    assert found.verdict == "Failed"
    assert found.message.startswith("age alone")


def test_a_column_that_is_the_target_of_a_regression_is_named() -> None:
    y = np.random.default_rng(0).uniform(0, 100, 1000)
    table = make_table(y, ())
    table.x[:, 0] = (y * 3).astype(np.float32)
    assert "age alone" in leakage(table, FEATURES, {}).message


def test_many_repeated_rows_fail(honest: Table) -> None:
    found = leakage(replace(honest, duplicates=140), FEATURES, {})
    assert found.verdict == "Failed"
    assert "140 of 200" in found.message


def test_too_few_rows_give_no_verdict() -> None:
    small = make_table(np.tile([0, 1], 20).astype(np.int64))
    assert leakage(small, FEATURES, _auc(0.999)).verdict == "InsufficientEvidence"


def test_equal_inputs_with_different_outcomes_are_counted(honest: Table) -> None:
    groups = honest.groups.copy()
    zero, one = int(np.flatnonzero(honest.y == 0)[0]), int(np.flatnonzero(honest.y == 1)[0])
    groups[zero] = groups[one]
    assert "2 rows have equal inputs" in duplicates(replace(honest, groups=groups)).message


def test_a_model_file_that_answers_otherwise_fails() -> None:
    assert onnx_parity(3e-7).verdict == "Passed"
    assert onnx_parity(3e-4).verdict == "Failed"
