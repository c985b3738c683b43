"""Outcomes of an experiment's two groups, added up."""

import pytest
from sqlalchemy import Engine

from heart_log.arms import accuracy, mean_outcome, read_arm
from heart_log.values import ANONYMOUS, ArmSums, Key, Outcome
from heart_log.write import store_outcomes
from tests.unit.heart_log.rows import EIGHTH, NOW, SEVENTH, hours_ago, row, store

LABELS = ("no disease", "disease")


def report(engine: Engine, **outcomes: Outcome) -> None:
    with engine.begin() as connection:
        named = {Key(request_id.replace("_", "."), 0): outcome for request_id, outcome in outcomes.items()}
        store_outcomes(connection, "heart", named, NOW, ANONYMOUS)


def test_only_the_experiments_own_outcomes_count(engine: Engine) -> None:
    store(engine, SEVENTH, row("a.ab"), row("b.ab"), row("nobodys"), row("copy.ab", shadow=True))
    store(engine, SEVENTH, row("early.ab", time=hours_ago(3)), row("unknown.ab"))
    store(engine, EIGHTH, row("c"), row("d", label="no disease"))
    report(engine, a_ab="disease", b_ab="no disease", nobodys="disease", copy_ab="disease", early_ab="disease")
    report(engine, c="disease", d="disease")
    with engine.begin() as connection:
        mine = read_arm(connection, "heart", "7", hours_ago(1), ".ab")
        its = read_arm(connection, "heart", "8", hours_ago(1))
    assert accuracy(mine, LABELS) == ArmSums(2, 1, 1)
    assert accuracy(its, LABELS) == ArmSums(2, 1, 1)
    assert mean_outcome(mine, LABELS) == ArmSums(2, 1, 1)
    assert mean_outcome(its, LABELS) == ArmSums(2, 2, 2)


@pytest.mark.parametrize("ending", ["%", "_ab"])
def test_an_ending_is_no_pattern(engine: Engine, ending: str) -> None:
    store(engine, SEVENTH, row("a.ab"))
    report(engine, a_ab="disease")
    with engine.begin() as connection:
        assert read_arm(connection, "heart", "7", hours_ago(1), ending) == []


def test_values_have_a_mean_and_squares(engine: Engine) -> None:
    store(engine, EIGHTH, *(row(name, outputs=[1.0], label=None) for name in "abc"))
    report(engine, a=2.0, b=2.0, c=3.5)
    with engine.begin() as connection:
        found = read_arm(connection, "heart", "8", hours_ago(1))
    assert mean_outcome(found, ()) == ArmSums(3, 7.5, 20.25)


def test_of_very_many_values_the_earliest_count(engine: Engine) -> None:
    """Whatever they are: a part of the outcomes that depends on them would have another mean."""
    for minutes, name in enumerate(("late", "middle", "early")):
        store(engine, EIGHTH, row(name, outputs=[1.0], label=None, time=hours_ago(0.1 * (minutes + 1))))
    report(engine, late=1.0, middle=5.0, early=9.0)
    with engine.begin() as connection:
        found = read_arm(connection, "heart", "8", hours_ago(1), most=2)
    assert mean_outcome(found, ()) == ArmSums(2, 14.0, 106.0)


def test_what_the_model_does_not_have_is_no_outcome() -> None:
    groups = [("disease", "disease", 3), ("disease", "other", 5), (None, 1.0, 2)]
    assert accuracy(groups, LABELS) == ArmSums(3, 3, 3)
    assert mean_outcome(groups, LABELS) == ArmSums(3, 3, 3)
    assert mean_outcome(groups, ("a", "b", "c")) == ArmSums(), "three classes have no mean"
