"""A server on a real PostgreSQL: what `/feedback` and the training that follows take for true."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from heart_api.handover import Env
from heart_log.database import open_database
from heart_log.prepare import Limits, prepare
from heart_log.read import read_labelled, read_outcomes
from heart_log.tables import feedback, predictions
from heart_log.values import Source
from heart_serving.predictionlog.maintenance import LogMaintenance
from heart_serving.predictionlog.proofs import Proofs, read_keys
from heart_serving.predictionlog.store import Store
from tests.support.apiserver.client import poll
from tests.support.faults.database_outages import SECONDS, metric, stored
from tests.support.registry.postgres import Postgres, install_log
from tests.support.serving.app import CLIENT, NAME, PROOF_KEY, VERSION, Running, running
from tests.support.serving.tiny_model import RECORD, tiny_model
from tests.unit.heart_log.rows import row, store

pytestmark = pytest.mark.api
INVENTED = 10_000


@pytest.fixture
def login(postgres: Postgres) -> Iterator[Engine]:
    """A namespace's, with its rights alone."""
    owner = open_database(install_log(postgres))
    with owner.begin() as connection:
        prepare(connection, "clinic", "x", Limits())
    engine = open_database(postgres.url_of("ns-clinic", database="heartops"))
    yield engine
    for each in (engine, owner):
        each.dispose()


@pytest.fixture
def server(login: Engine, tmp_path: Path) -> Iterator[Running]:
    url = login.url.render_as_string(hide_password=False).replace("+psycopg2", "")
    with running(tiny_model(), tmp_path, **{Env.DATABASE_URL: url, Env.PREDICTION_LOG: "{}"}) as server:
        yield server


def report(server: Running, *outcomes: dict[str, Any]) -> int:
    return CLIENT.post(f"{server.url}/feedback", json=outcomes, timeout=60).status_code


def test_none_of_ten_thousand_invented_rows_is_learned_from(login: Engine, server: Running) -> None:
    answer = CLIENT.post(f"{server.url}/predict", json=[RECORD] * 2).json()
    poll("it is stored", lambda: metric(server, "prediction_log_written_total") == 2, SECONDS)
    real = {"request_id": answer["request_id"], "proof": answer["proof"]}
    strangers = Proofs(read_keys("x" * 48), "clinic", NAME, VERSION)
    invented = [
        {"request_id": f"v-{number}", "proof": strangers.prove(f"v-{number}", 1), "outcome": 1}
        for number in range(INVENTED)
    ]
    replayed = [real | {"request_id": f"v-{number}", "outcome": 1} for number in range(100)]
    further = [real | {"row": number, "outcome": 1} for number in range(2, 100)]
    assert report(server, *invented) == 403
    assert {report(server, one) for one in [*invented[:100], *replayed, *further]} == {403}
    assert stored(login, feedback) == 0
    assert report(server, real | {"row": 1, "outcome": 1}) == 202
    with login.begin() as connection:
        assert len(read_labelled(connection, NAME, limit=INVENTED)) == 1


def test_outcomes_of_a_release_without_proofs_are_not_learned_from(login: Engine) -> None:
    source = Source(NAME, VERSION, "sha256:77")
    store(login, source, row("a"))
    with login.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO feedback (model, request_id, row_index, outcome, time, corrections)"
            f" VALUES ('{NAME}', 'a', 0, '\"disease\"', now(), 0)"
        )
        assert read_labelled(connection, NAME, limit=10) == []
        since = datetime.now(UTC) - timedelta(days=1)
        assert read_outcomes(connection, NAME, VERSION, since, limit=10) == []


def test_retention_with_the_rights_of_a_login(login: Engine) -> None:
    """The pass that the pods make every hour: old rows go, young ones and those of other models stay."""
    days_ago = lambda days: datetime.now(UTC) - timedelta(days=days)  # noqa: E731
    for model in (NAME, "lung"):
        source = Source(model, VERSION, "sha256:77")
        store(login, source, *(row(f"old-{number}", time=days_ago(91)) for number in range(2500)))
        store(login, source, row("young", time=days_ago(89)))
    maintenance = LogMaintenance(lambda: Store(login, Source(NAME, VERSION, "")), (), timedelta(days=90))
    assert maintenance.clean(datetime.now(UTC))
    with login.begin() as connection:
        left = connection.execute(predictions.select().with_only_columns(predictions.c.model)).scalars().all()
    assert (left.count(NAME), left.count("lung")) == (1, 2501)


def test_the_key_is_nowhere_to_be_read(server: Running) -> None:
    for path in ("/metrics", "/model", "/openapi.json"):
        assert PROOF_KEY not in CLIENT.get(f"{server.url}{path}").text
    server.terminate()
    assert PROOF_KEY not in server.stopped()
