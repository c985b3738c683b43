"""The chart's PostgreSQL image: its entrypoint on an empty volume, on its own, and on one of an earlier release."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from hack.cluster.ports import free_port
from heart_log.database import parse_url
from tests.support.apiserver.client import poll
from tests.support.registry.postgres import NOBODY, find_binaries, unprivileged

pytestmark = pytest.mark.api
SCRIPT = Path(__file__).resolve().parents[3] / "charts" / "images" / "postgres" / "entrypoint.sh"
FIRST, SECOND = {"mlflow": "it's one", "heartops": "o'ne"}, {"mlflow": "two", "heartops": "$HOME \\ two"}
ENDED = "terminating connection|server closed the connection"
NOT_TO_CONNECT = "permission denied for database|password authentication failed"


@dataclass
class Image:
    """The image's file system in a folder."""

    folder: Path
    port: int

    @contextmanager
    def running(self, passwords: dict[str, str]) -> Iterator[None]:
        binaries = find_binaries()
        assert binaries, "these tests need PostgreSQL's server programs: install the package `postgresql`"
        variables = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PGDATA": str(self.folder / "data" / "pgdata"),
            "PGPORT": str(self.port),
            "POSTGRES_DATABASE": "mlflow",
            "POSTGRES_ROLE": "mlflow",
            "POSTGRES_PASSWORD": passwords["mlflow"],
            "HEARTOPS_PASSWORD": passwords["heartops"],
            "LOGINS": str(SCRIPT.with_name("logins.sql")),
        }
        script = SCRIPT.read_text().replace("/run/postgresql", str(self.folder)).replace("'*'", "127.0.0.1")
        with (self.folder / "log").open("ab") as log:
            command = unprivileged("sh", "-c", script)
            process = subprocess.Popen(command, env=os.environ | variables, cwd="/", stdout=log, stderr=log)
        try:
            poll("PostgreSQL answers", lambda: process.poll() is None and self.answers(passwords), 60)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)

    def answers(self, passwords: dict[str, str]) -> bool:
        try:
            return self.query("mlflow", passwords["mlflow"], "mlflow", "SELECT 'yes'") == "yes"
        except OperationalError:
            return False

    def query(self, role: str, password: str, database: str, statement: str) -> str:
        url = f"postgresql://{role}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"
        engine = create_engine(parse_url(url), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement))
                return str(result.scalar()) if result.returns_rows else ""
        finally:
            engine.dispose()

    def by_socket(self, role: str, database: str, statement: str) -> subprocess.CompletedProcess[str]:
        """As a container of the same pod does."""
        where = (f"--host={self.folder}", f"--port={self.port}", f"--username={role}", f"--dbname={database}")
        command = unprivileged("psql", "--no-psqlrc", "--tuples-only", "--no-password", *where, "--command", statement)
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    def forget_the_log(self) -> None:
        """Back to what the image made before it knew of the log."""
        binaries = find_binaries()
        command = unprivileged(
            str(binaries / "postgres"), "--single", "-D", str(self.folder / "data" / "pgdata"), "postgres"
        )
        statements = "DROP DATABASE heartops\nDROP ROLE heartops_owner\nGRANT CONNECT ON DATABASE mlflow TO PUBLIC\n"
        subprocess.run(command, input=statements, text=True, check=True, capture_output=True, cwd="/")


@pytest.fixture
def image() -> Iterator[Image]:
    with tempfile.TemporaryDirectory(prefix="heartops-postgres-") as name:
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
        yield Image(Path(name), free_port())


def test_both_databases_with_whatever_passwords_are_given(image: Image) -> None:
    with image.running(FIRST):
        image.query("mlflow", FIRST["mlflow"], "mlflow", "CREATE TABLE kept (x int)")
    with image.running(SECOND):
        assert image.query("mlflow", SECOND["mlflow"], "mlflow", "SELECT count(*) FROM kept") == "0"
        rights = "SELECT rolcreaterole OR rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        assert image.query("heartops_owner", SECOND["heartops"], "heartops", rights) == "False"
        for role, password, database in (
            ("mlflow", FIRST["mlflow"], "mlflow"),
            ("mlflow", SECOND["mlflow"], "heartops"),
            ("heartops_owner", SECOND["heartops"], "mlflow"),
            ("heartops_owner", SECOND["heartops"], "postgres"),
            ("heartops_owner", SECOND["heartops"], "template1"),
            ("postgres", "x", "postgres"),
        ):
            with pytest.raises(OperationalError, match=NOT_TO_CONNECT):
                image.query(role, password, database, "SELECT 1")


def test_a_volume_of_a_release_without_the_log_gets_its_database(image: Image) -> None:
    with image.running(FIRST):
        image.query("mlflow", FIRST["mlflow"], "mlflow", "CREATE TABLE kept (x int)")
        image.query("heartops_owner", FIRST["heartops"], "heartops", "SELECT 1")
    image.forget_the_log()
    with image.running(FIRST):
        assert image.query("mlflow", FIRST["mlflow"], "mlflow", "SELECT count(*) FROM kept") == "0"
        assert image.query("heartops_owner", FIRST["heartops"], "heartops", "SELECT 1") == "1"


def test_the_image_ends_a_statement_whose_login_lifted_its_timeout(image: Image) -> None:
    with image.running(FIRST):
        admit = "SELECT heartops_admin.admit('slow', 'x', 'pg_catalog', 2, 1, 1)"
        image.query("heartops_owner", FIRST["heartops"], "heartops", admit)
        endless = "SET statement_timeout = 0; SELECT pg_sleep(600)"
        with pytest.raises(OperationalError, match=ENDED):
            image.query("ns-slow", "x", "heartops", endless)


def test_the_exporter_reads_statistics_by_the_socket_and_nothing_else(image: Image) -> None:
    """Twice, as a volume that the image prepared earlier has the role already."""
    for _ in range(2):
        with image.running(FIRST):
            size = image.by_socket("heartops_monitor", "postgres", "SELECT pg_database_size('mlflow') > 0")
            assert size.stdout.strip() == "t", size.stderr
            for database in ("mlflow", "heartops"):
                assert image.by_socket("heartops_monitor", database, "SELECT 1").returncode != 0
            denied = image.by_socket("heartops_monitor", "postgres", "SELECT count(*) FROM pg_authid")
            assert "permission denied" in denied.stderr
            for role in ("mlflow", "postgres"):
                assert image.by_socket(role, "postgres", "SELECT 1").returncode != 0
            with pytest.raises(OperationalError, match=NOT_TO_CONNECT):
                image.query("heartops_monitor", "x", "postgres", "SELECT 1")
    lines = (image.folder / "data" / "pgdata" / "pg_hba.conf").read_text().splitlines()
    assert len([line for line in lines if "heartops_monitor" in line]) == 1
