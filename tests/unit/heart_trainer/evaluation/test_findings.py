"""Leaks are found; honest data pass, however easy or coarse they are."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier

from heart_api.contract import Target
from heart_api.evaluation import Estimate
from heart_trainer.evaluation.findings import (
    better_than_chance,
    duplicates,
    onnx_parity,
    positive_class,
    training_findings,
)
from heart_trainer.evaluation.leaks import honest_figure, leakage, learnt_rows
from heart_trainer.values import Fitted, Parity, Table
from tests.support.trainer.evaluation_tables import FEATURES, make_fitted, make_table
from tests.support.trainer.requests import number, table


@pytest.fixture
def honest() -> Table:
    return make_table(np.random.default_rng(3).integers(0, 2, 200))


def _auc(low: float, estimate: float = 0.995) -> dict[str, Estimate]:
    return {"roc_auc": Estimate(n=200, events=90, estimate=estimate, low=low, high=1.0)}


def test_noise_passes(honest: Table) -> None:
    assert leakage(honest, FEATURES, _auc(0.93)).verdict == "Passed"
    assert duplicates(honest).verdict == "Passed"


def test_a_high_figure_alone_is_a_remark(honest: Table) -> None:
    found = leakage(honest, FEATURES, _auc(0.992))
    assert found.verdict == "Passed"
    assert "roc_auc is at least 0.992" in found.message


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_wine])
def test_easy_public_data_are_no_leak_in_training_nor_from_outside(load: Any) -> None:
    data = load()
    x = data.data.astype(np.float32)
    rows = table(x, data.target, len(np.unique(data.target)))
    features = tuple(number(f"f{index}") for index in range(x.shape[1]))
    assert leakage(rows, features, _auc(0.995)).verdict == "Passed"
    assert learnt_rows(rows, features, _auc(0.999, 1.0), "name other rows").verdict == "Passed"


def test_banknotes_in_which_no_column_says_everything_are_no_leak() -> None:
    """Two classes that a plane parts, as genuine and forged banknotes are."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1372, 4)).astype(np.float32)
    y = (x @ [2.0, 1.5, 1.5, 0.3] > 0).astype(np.int64)
    features = tuple(number(f"f{index}") for index in range(4))
    assert leakage(table(x, y, 2), features, _auc(0.9999)).verdict == "Passed"


def test_rows_known_by_heart_are_found(honest: Table) -> None:
    model = RandomForestClassifier(random_state=0).fit(np.nan_to_num(honest.x), honest.y)
    assert model.score(np.nan_to_num(honest.x), honest.y) > 0.99
    found = learnt_rows(honest, FEATURES, _auc(0.999, 1.0), "name rows that it has not seen")
    assert found.verdict == "Failed"
    assert "too good to be true" in found.message
    assert "name rows that it has not seen" in found.message


@pytest.mark.parametrize("column", ["threshold", "missing"])
def test_a_column_that_gives_the_target_away_is_named(honest: Table, column: str) -> None:
    x = honest.x.copy()
    x[:, 0] = np.where(honest.y == 1, 60, 50) if column == "threshold" else np.where(honest.y == 1, np.nan, x[:, 0])
    found = leakage(replace(honest, x=x), FEATURES, {})
    assert found.verdict == "Failed"
    assert found.message.startswith("age alone")
    assert "spec.gates.leakage: Warn" in found.message


def test_a_column_that_is_the_target_of_a_regression_is_named() -> None:
    y = np.random.default_rng(0).uniform(0, 100, 1000)
    rows = make_table(y, ())
    rows.x[:, 0] = (y * 3).astype(np.float32)
    assert "age alone" in leakage(rows, FEATURES, {}).message


def test_a_regressions_values_are_no_classes() -> None:
    """Negative ones among them."""
    rows = make_table(np.random.default_rng(0).uniform(-50, 50, 1000), ())
    rows.x[:, 0] = (rows.y * 3).astype(np.float32)
    assert "age alone" in leakage(rows, FEATURES, {}).message


def test_a_telling_column_is_found_among_many_rows_with_few_events() -> None:
    y = (np.arange(60_000) % 1000 == 0).astype(np.int64)
    rows = make_table(y)
    rows.x[:, 0] = 50 + y
    assert "age alone" in leakage(rows, FEATURES, {}).message


def test_many_repeated_rows_are_a_remark_and_no_failure(honest: Table) -> None:
    repeated = replace(honest, duplicates=140)
    assert leakage(repeated, FEATURES, {}).verdict == "Passed"
    found = duplicates(repeated)
    assert found.verdict == "InsufficientEvidence"
    assert "140 of 200 rows (70%)" in found.message


def test_too_few_rows_give_no_verdict() -> None:
    small = make_table(np.tile([0, 1], 20).astype(np.int64))
    assert leakage(small, FEATURES, _auc(0.999)).verdict == "InsufficientEvidence"


def test_equal_inputs_with_different_outcomes_are_counted(honest: Table) -> None:
    groups = honest.groups.copy()
    zero, one = int(np.flatnonzero(honest.y == 0)[0]), int(np.flatnonzero(honest.y == 1)[0])
    groups[zero] = groups[one]
    assert "2 rows have equal inputs" in duplicates(replace(honest, groups=groups)).message


@pytest.mark.parametrize(
    ("name", "low", "high", "verdict"),
    [
        ("roc_auc", 0.02, 0.15, "Failed"),
        ("roc_auc", 0.41, 0.52, "Passed"),
        ("roc_auc", 0.80, 0.90, "Passed"),
        ("r2", -0.9, -0.1, "Failed"),
        ("r2", -0.1, 0.05, "Passed"),
    ],
)
def test_worse_than_chance_for_certain_fails(name: str, low: float, high: float, verdict: str) -> None:
    figure = Estimate(n=200, events=90, estimate=(low + high) / 2, low=low, high=high)
    (found,) = better_than_chance({name: figure})
    assert (found.name, found.verdict) == ("chance", verdict)


def test_nothing_is_said_of_chance_where_nothing_was_measured() -> None:
    assert better_than_chance({}) == ()


def test_a_positive_class_by_alphabet_is_said(honest: Table) -> None:
    (found,) = positive_class(honest, Target(name="ill"))
    assert "ill is the positive class" in found.message
    assert "spec.target.positive" in found.message
    assert positive_class(honest, Target(name="ill", positive="ill")) == ()


def test_a_model_file_that_answers_otherwise_fails() -> None:
    assert onnx_parity(Parity(3e-7, 1e-5)).verdict == "Passed"
    assert onnx_parity(Parity(3e-4, 1e-5)).verdict == "Failed"
    assert onnx_parity(Parity(float("nan"), 1e-5)).verdict == "Failed"


def test_every_conflict_is_said_beside_the_repeats(honest: Table) -> None:
    found = duplicates(replace(honest, duplicates=4, groups=np.arange(200) // 100)).message
    assert found == (
        "4 of 200 rows (2%) repeat another one (equal rows share a fold);"
        " 200 rows have equal inputs and different outcomes"
    )


def found_leak(rows: Table, fitted: Fitted) -> tuple[str, str]:
    found = training_findings(rows, FEATURES, Target(name="num"), _auc(0.999, 1.0), fitted)[0]
    return found.verdict, found.message


def test_the_trainers_own_models_have_not_seen_what_judges_them(honest: Table) -> None:
    """A high figure is a remark then; a program of one's own may have brought the rows."""
    ours = replace(make_fitted(np.full((200, 2), 0.5)), pipeline="fitted")
    verdict, message = found_leak(honest, ours)
    assert verdict == "Passed"
    assert "roc_auc is at least 0.999" in message
    verdict, message = found_leak(honest, replace(ours, pipeline=None))
    assert verdict == "Failed"
    assert message.endswith("the trainer's image may hold rows of this dataset: look at how it was built")


def test_a_column_that_gives_the_target_away_is_named_for_every_trainer(honest: Table) -> None:
    rows = replace(honest, x=np.where(np.arange(3) == 0, 50 + 10 * honest.y[:, None], honest.x).astype(np.float32))
    for pipeline in ("fitted", None):
        verdict, message = found_leak(rows, replace(make_fitted(np.full((200, 2), 0.5)), pipeline=pipeline))
        assert (verdict, message[:9]) == ("Failed", "age alone")


def test_what_plain_models_reach_is_the_same_every_time(honest: Table) -> None:
    assert honest_figure(honest) == honest_figure(honest)
    assert 0.3 < honest_figure(honest) < 0.7, "there is nothing to learn"


def test_what_plain_models_reach_in_a_regression() -> None:
    rows = make_table(np.random.default_rng(0).normal(size=200), ())
    rows.x[:, 0] = (rows.y * 3).astype(np.float32)
    assert honest_figure(rows) > 0.99
    curved = replace(rows, x=np.sqrt(np.abs(rows.x)), y=np.abs(rows.y))
    assert honest_figure(curved) == honest_figure(curved) > 0.95


@pytest.mark.filterwarnings("error")
def test_a_column_of_which_nothing_is_known_hinders_no_plain_model(honest: Table) -> None:
    x = np.column_stack([np.full(200, np.nan), honest.y]).astype(np.float32)
    assert honest_figure(replace(honest, x=x)) == 1.0


@pytest.mark.filterwarnings("error")
def test_units_hinder_no_plain_model(honest: Table) -> None:
    """Of columns in grams and in light-years the linear model would find no end."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(honest.y, 1), rng.normal(honest.y, 1), rng.normal(size=200)])
    figures = [honest_figure(replace(honest, x=(x * units).astype(np.float32))) for units in (1, [1e6, 1e-4, 1e9])]
    assert figures[1] == pytest.approx(figures[0], abs=0.02)
