"""PostgreSQL's disk is full, and has room again: no prediction fails, no row is lost, and the pod says why."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from heart_api.handover import Env
from tests.support.apiserver.client import poll
from tests.support.faults.database_outages import SECONDS, metric, predict, report, stored
from tests.support.registry.postgres import NOBODY, Postgres
from tests.support.serving.app import running
from tests.support.serving.tiny_model import tiny_model

pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system: needs root"),
]
MIB = 2**20


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """A file system of its own, where PostgreSQL's user may write."""
    with tempfile.TemporaryDirectory(prefix="heartops-disk-") as folder:
        Path(folder).chmod(0o755)
        disk = Path(folder) / "disk"
        disk.mkdir()
        options = f"size={size},uid={NOBODY},gid={NOBODY},mode=0700"
        subprocess.run(("mount", "-t", "tmpfs", "-o", options, "heartops-test", str(disk)), check=True)
        try:
            yield disk
        finally:
            subprocess.run(("umount", str(disk)), check=True)


def command(engine: Engine, *statements: str) -> None:
    """Each in a transaction of its own, which commands about tablespaces ask for."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def crowded(engine: Engine, postgres: Postgres) -> Iterator[Engine]:
    """The log's tables share a disk of 4 MiB with a table `filler`; the write-ahead log lies elsewhere."""
    with small_disk(4 * MIB) as disk:
        command(engine, f"CREATE TABLESPACE small LOCATION '{disk}'")
        tables = ("predictions", "feedback")
        command(engine, *(f"ALTER TABLE {table} SET TABLESPACE small" for table in tables))
        command(engine, "CREATE TABLE filler (text TEXT) TABLESPACE small")
        yield engine
        postgres.ensure_started()
        command(engine, "DROP TABLE IF EXISTS filler", *(f"DROP TABLE {table} CASCADE" for table in tables))
        command(engine, "CHECKPOINT", "DROP TABLESPACE small")


def fill(engine: Engine) -> None:
    """Until nothing fits."""
    with pytest.raises(OperationalError, match="No space left on device"):
        command(engine, *["INSERT INTO filler SELECT repeat('x', 1500) FROM generate_series(1, 20)"] * 1000)


def test_a_full_disk_costs_no_prediction_and_no_row(crowded: Engine, postgres: Postgres, tmp_path: Path) -> None:
    variables = {Env.DATABASE_URL: postgres.url, Env.PREDICTION_LOG: "{}", "HEARTOPS_DRAIN_SECONDS": "0"}
    with running(tiny_model(), tmp_path, **variables) as server:
        predict(server)
        poll("the log writes", lambda: metric(server, "prediction_log_written_total") == 1, SECONDS)
        fill(crowded)
        for _ in range(50):
            predict(server, records=10)
        poll("it is noticed", lambda: metric(server, "prediction_log_write_errors_total"), SECONDS)
        assert report(server, "before").status_code == 503, "what cannot be kept is not taken"
        waiting = metric(server, "prediction_log_queue_rows")
        assert waiting + metric(server, "prediction_log_written_total") == 501
        assert waiting > 0
        command(crowded, "DROP TABLE filler")
        poll("all is written", lambda: metric(server, "prediction_log_queue_rows") == 0, SECONDS)
        assert stored(crowded) == 501
        assert report(server, "before").status_code == 202
        server.terminate()
        assert "cannot be written (DiskFull 53100); rows wait" in server.stopped()
