"""The server as a process, and a PostgreSQL that is killed and comes back: no prediction fails, what fits is kept."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from heart_api.handover import Env
from heart_log.database import open_database
from heart_log.migrate import migrate
from heart_log.tables import feedback
from heart_serving.predictionlog.recorder import MAX_ROWS
from tests.support.apiserver.client import poll
from tests.support.faults.database_outages import SECONDS, metric, predict, report, stored
from tests.support.registry.postgres import Postgres
from tests.support.serving.app import CLIENT, Running, running
from tests.support.serving.tiny_model import RECORD, tiny_model

pytestmark = pytest.mark.api


@pytest.fixture
def server(engine: Engine, postgres: Postgres, tmp_path: Path) -> Iterator[Running]:
    variables = {Env.DATABASE_URL: postgres.url, Env.PREDICTION_LOG: "{}", "HEARTOPS_DRAIN_SECONDS": "0"}
    with running(tiny_model(), tmp_path, **variables) as server:
        predict(server)
        poll("the log writes", lambda: metric(server, "prediction_log_written_total") == 1, SECONDS)
        yield server


@pytest.fixture
def stopped(postgres: Postgres, server: Running) -> Iterator[Postgres]:
    """Killed; back at the end at the latest."""
    postgres.stop()
    yield postgres
    postgres.ensure_started()


def test_an_outage_costs_no_prediction_and_nothing_that_fits(
    engine: Engine, server: Running, stopped: Postgres
) -> None:
    for _ in range(300):
        predict(server)
    poll("the outage is noticed", lambda: metric(server, "prediction_log_write_errors_total"), SECONDS)
    assert metric(server, "prediction_log_queue_rows") == 300
    stopped.start()
    poll("all is written", lambda: metric(server, "prediction_log_queue_rows") == 0, SECONDS)
    assert stored(engine) == 301
    assert metric(server, "prediction_log_dropped_total", 'reason="queue_full"') == 0
    assert metric(server, "http_requests_total", 'code="200"') == 301


def test_what_does_not_fit_is_counted_to_the_row(engine: Engine, server: Running, stopped: Postgres) -> None:
    for _ in range(25):
        predict(server, records=1000)
    assert metric(server, "prediction_log_dropped_total", 'reason="queue_full"') == 25_000 - MAX_ROWS
    stopped.start()
    poll("all is written", lambda: metric(server, "prediction_log_queue_rows") == 0, 2 * SECONDS)
    assert stored(engine) == MAX_ROWS + 1


def test_feedback_is_rejected_while_it_cannot_be_kept_and_kept_once_it_is_answered(
    engine: Engine, server: Running, stopped: Postgres
) -> None:
    rejected = report(server, "a")
    assert (rejected.status_code, "retry-after" in rejected.headers) == (503, True)
    assert metric(server, "feedback_total", 'result="unavailable"') == 1
    stopped.start()
    poll("feedback is taken", lambda: report(server, "a").status_code == 202, SECONDS)
    server.process.kill()
    stopped.stop()
    stopped.start()
    assert stored(engine, feedback) == 1
    assert "500" not in re.findall(r'"code":(\d+)', server.stopped())


def test_what_waits_is_written_before_the_process_ends(engine: Engine, server: Running) -> None:
    for _ in range(50):
        predict(server, records=10)
    server.terminate()
    server.stopped()
    assert stored(engine) == 501


def test_a_process_that_ends_during_an_outage_says_how_much_is_lost(server: Running, stopped: Postgres) -> None:
    predict(server, records=7)
    began = time.monotonic()
    server.terminate()
    assert "7 rows could not be written" in server.stopped()
    assert time.monotonic() - began < SECONDS


def test_tables_that_come_later_are_waited_for(postgres: Postgres, url: str, tmp_path: Path) -> None:
    """The migration Job may be slower than the first model."""
    with running(tiny_model(), tmp_path, **{Env.DATABASE_URL: url, Env.PREDICTION_LOG: "{}"}) as server:
        predict(server, records=3)
        poll("the first attempt", lambda: metric(server, "prediction_log_write_errors_total"), SECONDS)
        later = open_database(url)
        with later.begin() as connection:
            migrate(connection)
        later.dispose()
        poll("all is written", lambda: metric(server, "prediction_log_written_total") == 3, SECONDS)


def test_no_value_is_logged_whatever_the_database_says(engine: Engine, server: Running) -> None:
    """PostgreSQL quotes rows in its errors."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE predictions ADD CONSTRAINT nobody CHECK (features->>'age' <> '54.4711')"
        )
    reply = CLIENT.post(f"{server.url}/predict", json=RECORD | {"age": 54.4711})
    assert reply.status_code == 200
    poll("it is rejected", lambda: metric(server, "prediction_log_dropped_total", 'reason="rejected"'), SECONDS)
    predict(server)
    poll("the next is written", lambda: metric(server, "prediction_log_written_total") == 2, SECONDS)
    server.terminate()
    log = server.stopped()
    assert "rows were rejected (CheckViolation 23514)" in log
    assert "54.4711" not in log
