"""The log's backup as docs/backup.md has it: rows and rights come back, retention and erasure go on."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from heart_log.database import open_database
from heart_log.prepare import Limits, prepare
from heart_log.tables import predictions
from heart_log.write import delete_older, erase
from tests.support.registry.postgres import PASSWORD, Postgres, find_binaries, install_log
from tests.unit.heart_log.rows import SEVENTH, row, store

pytestmark = pytest.mark.api


def run(postgres: Postgres, program: str, *words: str) -> None:
    binaries = find_binaries()
    assert binaries is not None
    place = ("--host=127.0.0.1", f"--port={postgres.port}", "--username=heartops_owner")
    command = (str(binaries / program), *place, *words)
    done = subprocess.run(
        command, env=os.environ | {"PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_rows_and_rights_come_back(postgres: Postgres, tmp_path: Path) -> None:
    owner, dump = open_database(install_log(postgres)), str(tmp_path / "log.dump")
    with owner.begin() as connection:
        prepare(connection, "clinic", "x", Limits())
    login = open_database(postgres.url_of("ns-clinic", database="heartops"))
    store(login, SEVENTH, row("a"), row("b"))
    run(postgres, "pg_dump", "--format=custom", "--schema=log-*", "--schema=heartops_log", "-f", dump, "heartops")
    with login.begin() as connection:
        erase(connection, "heart", None, ["a", "b"], datetime.now(UTC))
    run(postgres, "pg_restore", "--dbname=heartops", "--clean", "--if-exists", dump)
    assert store(login, SEVENTH, row("a"), row("c")) == 1
    with pytest.raises(DBAPIError, match="permission denied"), login.begin() as connection:
        connection.exec_driver_sql("DELETE FROM predictions")
    with login.begin() as connection:
        assert erase(connection, "heart", None, ["a"], datetime.now(UTC)).predictions == 1
        later = datetime.now(UTC) + timedelta(days=1)
        assert delete_older(connection, predictions, "heart", later, 10) == 2
    for engine in (login, owner):
        engine.dispose()
