"""What is written to the log is read from it, whichever database it is, however often it is written."""

from dataclasses import replace
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, func, select, update

from heart_log.migrate import head, migrate
from heart_log.read import read_labelled, read_outcomes, read_outputs, read_window
from heart_log.tables import corrections, erasures, feedback, metadata, predictions
from heart_log.values import ANONYMOUS, Erased, Key, Outcome, Prediction, Scored, Source, Stored
from heart_log.write import delete_older, erase, store_outcomes
from tests.unit.heart_log.rows import EIGHTH, NOW, PATIENT, SEVENTH, hours_ago, row, store

LATER = NOW + timedelta(hours=1)
YESTERDAY = hours_ago(24)


def report(
    engine: Engine, *outcomes: tuple[str, int, Outcome], model: str = "heart", at=NOW, author: str = ANONYMOUS
) -> Stored:
    with engine.begin() as connection:
        named = {Key(request_id, index): outcome for request_id, index, outcome in outcomes}
        return store_outcomes(connection, model, named, at, author)


def window(engine: Engine, since=YESTERDAY, until=LATER, version: str | None = "7", limit=1000) -> list[Prediction]:
    with engine.begin() as connection:
        return read_window(connection, "heart", since, until, version=version, limit=limit)


def labelled(engine: Engine, limit=1000) -> list[Prediction]:
    with engine.begin() as connection:
        return read_labelled(connection, "heart", limit=limit)


def outcomes(engine: Engine, source: Source = SEVENTH, since=YESTERDAY, limit=1000) -> list[Scored]:
    with engine.begin() as connection:
        return read_outcomes(connection, source.model, source.version, since, limit=limit)


def test_migrations_make_the_tables_that_the_code_uses(engine: Engine) -> None:
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert MigrationContext.configure(connection).get_current_revision() == head()


def test_a_migration_that_was_made_is_not_made_again(engine: Engine) -> None:
    store(engine, SEVENTH, row("a"))
    with engine.begin() as connection:
        migrate(connection)
    assert len(window(engine)) == 1


def test_a_row_comes_back_as_it_was_sent(engine: Engine) -> None:
    store(engine, replace(SEVENTH, redacted=("chol",)), row("a", time=NOW))
    assert window(engine) == [Prediction("7", NOW, PATIENT, ("chol",), (0.25, 0.75), "disease")]


def test_a_regression_has_no_label(engine: Engine) -> None:
    store(engine, SEVENTH, row("a", label=None, outputs=[1.5]))
    report(engine, ("a", 0, 2.0))
    (found,) = outcomes(engine)
    assert found == Scored((1.5,), None, 2.0)
    assert isinstance(found.outcome, float)


def test_a_batch_that_is_written_again_changes_nothing(engine: Engine) -> None:
    """After a commit whose answer got lost, the writer cannot know that it was one."""
    batch = [row("a"), row("a", 1), row("b")]
    assert store(engine, SEVENTH, *batch) == 3
    assert store(engine, SEVENTH, *batch, row("c")) == 1
    assert len(window(engine)) == 4


def test_models_and_versions_do_not_meet_over_one_request_id(engine: Engine) -> None:
    store(engine, SEVENTH, row("a"))
    store(engine, EIGHTH, row("a"))
    store(engine, replace(SEVENTH, model="lung"), row("a"))
    report(engine, ("a", 0, "disease"), model="lung")
    assert sorted(found.version for found in window(engine, version=None)) == ["7", "8"]
    assert labelled(engine) == []


def test_a_window_takes_its_beginning_and_leaves_its_end(engine: Engine) -> None:
    store(engine, SEVENTH, *(row(f"r{hours}", time=hours_ago(hours)) for hours in (0, 1, 2, 3)))
    found = window(engine, since=hours_ago(2), until=NOW)
    assert [prediction.time for prediction in found] == [hours_ago(1), hours_ago(2)]
    assert [prediction.time for prediction in window(engine, limit=1)] == [NOW]


def test_copies_of_requests_are_nobodys_predictions(engine: Engine) -> None:
    store(engine, EIGHTH, row("a", shadow=True))
    report(engine, ("a", 0, "disease"))
    assert window(engine, version=None) == []
    assert labelled(engine) == []
    assert outcomes(engine, EIGHTH) == []


def test_outcomes_join_whenever_they_come(engine: Engine) -> None:
    report(engine, ("early", 0, "healthy"))
    store(engine, SEVENTH, row("early"), row("late", 0), row("late", 1))
    assert report(engine, ("late", 1, "disease"), ("unknown", 0, "disease")) == Stored(new=2, corrected=0, unchanged=0)
    assert {scored.outcome for scored in outcomes(engine)} == {"healthy", "disease"}
    assert len(outcomes(engine)) == 2


def test_reporting_twice_is_reporting_once_and_a_correction_counts_and_shows(engine: Engine) -> None:
    store(engine, SEVENTH, row("a"))
    assert report(engine, ("a", 0, "disease")) == Stored(1, 0, 0)
    assert report(engine, ("a", 0, "disease"), at=LATER) == Stored(0, 0, 1)
    assert report(engine, ("a", 0, "healthy"), ("b", 0, "healthy"), at=LATER) == Stored(1, 1, 0)
    assert [scored.outcome for scored in outcomes(engine)] == ["healthy"]
    with engine.begin() as connection:
        found = connection.execute(select(feedback.c.corrections, feedback.c.time).order_by(feedback.c.request_id))
        assert [tuple(each) for each in found] == [(1, LATER), (0, LATER)]


def test_an_outcome_belongs_to_its_first_author_and_corrections_keep_what_was(engine: Engine) -> None:
    store(engine, SEVENTH, row("a"), row("b"))
    report(engine, ("a", 0, "disease"), author="clinic")
    taken = report(engine, ("a", 0, "healthy"), ("b", 0, "healthy"), at=LATER, author="mallory")
    assert taken == Stored(new=1, corrected=0, unchanged=0, conflicts=1)
    assert report(engine, ("a", 0, "healthy"), at=LATER, author="clinic") == Stored(0, 1, 0)
    with engine.begin() as connection:
        query = select(*(corrections.c[name] for name in ("request_id", "correction", "outcome", "author", "time")))
        assert connection.execute(query).all() == [("a", 0, "disease", "clinic", NOW)]
        assert erase(connection, "heart", None, ["a"], NOW) == Erased(1, 1)
        assert connection.execute(query).all() == []


def test_an_outcome_without_an_author_is_not_read(engine: Engine) -> None:
    """It came before proofs were asked for; nor does anybody take it over."""
    store(engine, SEVENTH, row("a"))
    report(engine, ("a", 0, "disease"))
    with engine.begin() as connection:
        connection.execute(update(feedback).values(author=None))
    assert (labelled(engine), outcomes(engine)) == ([], [])
    assert report(engine, ("a", 0, "disease")) == Stored(0, 0, 0, 1)


def test_an_unchanged_outcome_keeps_the_time_at_which_it_came(engine: Engine) -> None:
    store(engine, SEVENTH, row("a"))
    report(engine, ("a", 0, "disease"), at=hours_ago(48))
    report(engine, ("a", 0, "disease"), at=NOW)
    assert outcomes(engine) == []


def test_no_outcomes_are_no_trouble(engine: Engine) -> None:
    assert report(engine) == Stored(0, 0, 0)


def test_thousands_of_outcomes_in_one_report(engine: Engine) -> None:
    many = [("bulk", index, "disease") for index in range(10_000)]
    assert report(engine, *many) == Stored(10_000, 0, 0)
    assert report(engine, *many) == Stored(0, 0, 10_000)


def test_a_request_that_two_versions_answered_is_learnt_from_once(engine: Engine) -> None:
    store(engine, SEVENTH, row("a"), row("b"))
    store(engine, EIGHTH, row("a", time=LATER))
    report(engine, ("a", 0, "disease"), ("b", 0, "healthy"))
    assert sorted((found.version, found.outcome) for found in labelled(engine)) == [("7", "healthy"), ("8", "disease")]


def test_the_latest_outcomes_are_those_that_fit(engine: Engine) -> None:
    store(engine, SEVENTH, *(row(str(hours)) for hours in range(5)))
    for hours in range(5):
        report(engine, (str(hours), 0, f"{hours} h ago"), at=hours_ago(hours))
    assert [found.outcome for found in labelled(engine, limit=2)] == ["0 h ago", "1 h ago"]
    assert {found.outcome for found in outcomes(engine, limit=2)} == {"0 h ago", "1 h ago"}


def test_outputs_of_one_version_newest_first(engine: Engine) -> None:
    store(engine, SEVENTH, row("a", outputs=[0.4, 0.6], time=hours_ago(1)), row("b", outputs=[0.9, 0.1]))
    store(engine, EIGHTH, row("c"))
    with engine.begin() as connection:
        found = read_outputs(connection, "heart", "7", hours_ago(24), limit=10)
    assert found == [Scored((0.9, 0.1), "disease"), Scored((0.4, 0.6), "disease")]


@pytest.mark.parametrize("table", [predictions, feedback])
def test_what_is_too_old_goes_bit_by_bit_and_only_this_models(engine: Engine, table) -> None:
    old = [row(f"old-{index}", time=hours_ago(50 + index)) for index in range(5)]
    for source in (SEVENTH, replace(SEVENTH, model="lung")):
        store(engine, source, *old, row("new"))
        for index in range(5):
            report(engine, (f"old-{index}", 0, "disease"), model=source.model, at=hours_ago(50 + index))
        report(engine, ("new", 0, "disease"), model=source.model)

    def delete() -> int:
        with engine.begin() as connection:
            return delete_older(connection, table, "heart", hours_ago(48), limit=3)

    assert [delete(), delete(), delete()] == [3, 2, 0]
    with engine.begin() as connection:
        counts = connection.execute(select(table.c.model, func.count()).group_by(table.c.model))
        left = {row.model: row[1] for row in counts}
    assert left == {"heart": 1, "lung": 6}


def test_a_subject_is_erased_with_copies_and_outcomes_and_nobody_else_is(engine: Engine) -> None:
    store(engine, SEVENTH, row("a", subject="patient-7"), row("a", 1, subject="patient-7"), row("b"), row("c"))
    store(engine, EIGHTH, row("a", shadow=True))
    report(engine, ("a", 0, "disease"), ("b", 0, "disease"), ("c", 0, "disease"))
    with engine.begin() as connection:
        assert erase(connection, "heart", "patient-7", [], NOW) == Erased(3, 1)
        assert erase(connection, "heart", None, ["b", "unknown"], NOW) == Erased(1, 1)
        assert erase(connection, "lung", "patient-7", ["c"], NOW) == Erased(0, 0)
        found = connection.execute(select(erasures.c.predictions, erasures.c.outcomes).order_by(erasures.c.id))
        assert [tuple(each) for each in found] == [(3, 1), (1, 1), (0, 0)]
    assert len(window(engine, version=None)) == 1
    assert [scored.outcome for scored in outcomes(engine)] == ["disease"]


def test_labels_select_rows_and_go_with_them(engine: Engine) -> None:
    north, south = {"site": "north", "ward": "3"}, {"site": "south"}
    store(engine, SEVENTH, row("a", labels=north), row("b", labels=south), row("c"))

    def found(**where: str) -> int:
        with engine.begin() as connection:
            return len(read_window(connection, "heart", YESTERDAY, LATER, version="7", limit=1000, where=where))

    assert (found(), found(site="north"), found(site="south")) == (3, 1, 1)
    assert (found(site="north", ward="3"), found(site="south", ward="3")) == (1, 0)
    assert found(**{"site": "north' OR '1'='1", "x' --": ""}) == 0
    with engine.begin() as connection:
        assert erase(connection, "heart", None, ["a"], NOW).predictions == 1
    assert found(site="north") == 0


def test_nobody_as_a_subject_erases_nothing(engine: Engine) -> None:
    """Rows without a subject are not those of the subject None."""
    store(engine, SEVENTH, row("a"))
    with engine.begin() as connection:
        assert erase(connection, "heart", None, [], NOW) == Erased(0, 0)
    assert len(window(engine)) == 1
