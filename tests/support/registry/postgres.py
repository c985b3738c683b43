"""A PostgreSQL server of a test's own, on a loopback port; it can be stopped and started again."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from hack.cluster.ports import free_port

PASSWORD = "x"
NOBODY = 65534
"""PostgreSQL refuses to run as root: then it runs as this user."""


@dataclass
class Postgres:
    """`url`: of the superuser. Everybody logs in with a password."""

    binaries: Path
    data: Path
    port: int

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, role: str, password: str = PASSWORD, database: str = "postgres") -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{self.data}' -c fsync=off"
        self._control("start", "-w", "-t", "60", "-o", options, "-l", str(self.data / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """`immediate`: as if it had been killed."""
        self._control("stop", "-w", "-m", mode)

    def ensure_started(self) -> None:
        if subprocess.run(self._command("status"), check=False, capture_output=True).returncode:
            self.start()

    def _control(self, *words: str) -> None:
        done = subprocess.run(self._command(*words), capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, f"pg_ctl {' '.join(words)}: {done.stdout}{done.stderr}"

    def _command(self, *words: str) -> list[str]:
        return unprivileged(str(self.binaries / "pg_ctl"), "-D", str(self.data), *words)


def unprivileged(*command: str) -> list[str]:
    """The command as somebody who is not root."""
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    return [*prefix, *command]


def run_unprivileged(*command: str) -> None:
    done = subprocess.run(unprivileged(*command), capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"


def find_binaries() -> Path | None:
    """Debian keeps the server's programs off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    path = shutil.which("postgres") or (found[-1] if found else None)
    return Path(path).resolve().parent if path else None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Gone without a trace when the block ends."""
    binaries = find_binaries()
    assert binaries, "these tests need PostgreSQL's server programs: install the package `postgresql`"
    with tempfile.TemporaryDirectory(prefix="heartops-postgres-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        if os.geteuid() == 0:
            for path in (Path(folder), data):
                os.chown(path, NOBODY, NOBODY)
        (Path(folder) / "password").write_text(PASSWORD)
        login = ("-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(Path(folder) / "password"))
        run_unprivileged(str(binaries / "initdb"), "-D", str(data), *login, "--no-sync")
        server = Postgres(binaries, data, free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()


LOGINS = Path(__file__).resolve().parents[3] / "charts" / "images" / "postgres" / "logins.sql"


def install_log(server: Postgres) -> str:
    """The log's database as the chart's image makes it, anew; returns the URL of its owner."""
    drop = "SELECT 'DROP ROLE ' || quote_ident(rolname) FROM pg_roles WHERE rolname LIKE 'ns-%'"
    with _session(server.url) as cursor:
        cursor.execute("DROP DATABASE IF EXISTS heartops WITH (FORCE)")
        cursor.execute(drop)
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
        cursor.execute("DROP ROLE IF EXISTS heartops_owner")
        cursor.execute(f"CREATE ROLE heartops_owner LOGIN PASSWORD '{PASSWORD}'")
        cursor.execute("CREATE DATABASE heartops OWNER heartops_owner CONNECTION LIMIT 30")
        cursor.execute("REVOKE ALL ON DATABASE heartops, postgres, template1 FROM PUBLIC")
    with _session(server.url_of("postgres", database="heartops")) as cursor:
        cursor.execute(LOGINS.read_text())
    return server.url_of("heartops_owner", database="heartops")


@contextmanager
def _session(url: str) -> Iterator[Any]:
    """Every statement in a transaction of its own."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
