"""`python -m heart_log prepare`: namespaces share a database, and nothing in it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

import heart_log.__main__
from heart_log.database import open_database
from heart_log.read import read_window
from tests.support.registry.postgres import Postgres, install_log
from tests.unit.heart_log.rows import NOW, SEVENTH, hours_ago, row, store

pytestmark = pytest.mark.api
PASSWORDS = {"clinic": "it's a %I secret", "mlflow": "b" * 32}


@pytest.fixture
def owner(postgres: Postgres) -> str:
    """The URL of the owner's role, as the chart's PostgreSQL has it, in a database of its own."""
    return install_log(postgres)


def run(url: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "heart_log", *words)
    return subprocess.run(
        command,
        env={**os.environ, "HEARTOPS_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def prepare(owner: str, folder: Path) -> None:
    for name, password in PASSWORDS.items():
        (folder / name).write_text(password)
    (folder / "..data").mkdir(exist_ok=True)  # as the kubelet mounts a Secret
    done = run(owner, folder, "prepare", str(folder))
    assert done.returncode == 0, done.stderr
    assert "clinic: the tables have revision" in done.stdout
    assert not [password for password in PASSWORDS.values() if password in done.stdout + done.stderr]


def open_as(postgres: Postgres, namespace: str) -> Engine:
    return open_database(postgres.url_of(f"ns-{namespace}", quote(PASSWORDS[namespace], safe=""), "heartops"))


def test_each_namespace_writes_and_reads_its_own(owner: str, postgres: Postgres, tmp_path: Path) -> None:
    prepare(owner, tmp_path)
    prepare(owner, tmp_path)
    clinic, other = (open_as(postgres, name) for name in PASSWORDS)
    assert store(clinic, SEVENTH, row("a")) == 1
    for engine, rows in ((clinic, 1), (other, 0)):
        with engine.begin() as connection:
            assert len(read_window(connection, "heart", hours_ago(1), hours_ago(-1), version=None, limit=9)) == rows
    with pytest.raises(ProgrammingError, match="permission denied"), other.begin() as connection:
        connection.execute(text('SELECT * FROM "log-clinic".predictions'))
    for engine in (clinic, other):
        engine.dispose()


def test_a_namespace_may_be_called_like_a_servers_role(owner: str, postgres: Postgres, tmp_path: Path) -> None:
    prepare(owner, tmp_path)
    engine = open_as(postgres, "mlflow")
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT current_schema()")) == "log-mlflow"
    engine.dispose()


def test_several_at_a_time_take_turns(owner: str, tmp_path: Path) -> None:
    """As when two people prepare a namespace each, or one does during an upgrade."""
    for index in range(6):
        (tmp_path / f"clinic-{index}").write_text("x")
    with ThreadPoolExecutor() as threads:
        runs = [threads.submit(run, owner, tmp_path, "prepare", str(tmp_path)) for _ in range(4)]
        assert [done.result().stderr for done in runs] == [""] * 4


@pytest.mark.parametrize(("name", "password"), [("Clinic", "x"), ("a" * 60, "x"), ("clinic", "")])
def test_a_bad_name_or_password_is_rejected_by_name(owner: str, tmp_path: Path, name: str, password: str) -> None:
    (tmp_path / name).write_text(password)
    done = run(owner, tmp_path, "prepare", str(tmp_path))
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_schema_of_ones_own_is_migrated_by_its_url(owner: str, tmp_path: Path) -> None:
    done = run(owner, tmp_path, "migrate")
    assert done.returncode == 0, done.stderr
    engine = open_database(owner)
    assert store(engine, SEVENTH, row("a", time=NOW)) == 1
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://heart:secret@db/log", "postgresql://nobody:secret@127.0.0.1:1/log"])
def test_the_password_is_never_told(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setattr(heart_log.__main__, "PATIENCE_SECONDS", 0)
    monkeypatch.setenv("HEARTOPS_DATABASE_URL", url)
    assert heart_log.__main__.main(["migrate"]) in (1, 2)
    assert "secret" not in "".join(capfd.readouterr())
