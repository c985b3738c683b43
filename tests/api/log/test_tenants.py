"""What a namespace's login can do to the others, to MLflow, and to the server: nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from heart_log.database import open_database, parse_url
from heart_log.prepare import Limits, prepare, remove
from heart_log.read import read_window
from heart_log.tables import feedback, predictions
from heart_log.values import Key, Stored
from heart_log.write import delete_older, erase, store_outcomes
from tests.support.apiserver.client import poll
from tests.support.registry.postgres import Postgres, install_log
from tests.unit.heart_log.rows import NOW, SEVENTH, hours_ago, row, store

pytestmark = pytest.mark.api
ENDED = "terminating connection|server closed the connection"
LIMITS = Limits(connections=3, rows_per_day=50, megabytes_per_day=1, temp_megabytes=1)
VIEW = """
CREATE VIEW alembic_version AS SELECT become_owner() AS version_num
"""
RESET = """
CREATE FUNCTION become_owner() RETURNS varchar LANGUAGE plpgsql AS $$
BEGIN RESET ROLE; GRANT pg_read_all_data TO "ns-mallory"; RETURN '0001'; END $$
"""

FORBIDDEN = {
    "a view that the next migration reads": VIEW,
    "a function for it": RESET,
    "a table": "CREATE TABLE mine (x int)",
    "a temporary table": "CREATE TEMP TABLE mine (x int)",
    "a schema": "CREATE SCHEMA mine",
    "a large object": "SELECT lo_from_bytea(0, 'x')",
    "a block of code": "DO $$ BEGIN NULL; END $$",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION heartops_log.count_rows()",
    "another's rows": 'SELECT * FROM "log-victim".predictions',
    "another's erasure": "SELECT \"log-victim\".erase('heart', NULL, ARRAY['a'], now())",
    "the limits": "UPDATE heartops_log.quota SET rows_per_day = 1000000",
    "the count": "DELETE FROM heartops_log.usage",
    "Alembic's own table": "SELECT * FROM alembic_version",
    "the tables' owner": "SET ROLE heartops_owner",
    "another's role": 'SET ROLE "ns-victim"',
    "another's password": "ALTER ROLE \"ns-victim\" PASSWORD 'x'",
    "MLflow's password": "ALTER ROLE mlflow PASSWORD 'x'",
    "a role": "CREATE ROLE mine",
    "more connections": 'ALTER ROLE "ns-mallory" CONNECTION LIMIT 200',
    "its limits": "UPDATE heartops_admin.limits SET statement_seconds = 1000000",
    "the end of others' statements": "SELECT heartops_admin.end_long_statements()",
    "an outcome's author": "UPDATE feedback SET author = 'mine'",
    "the history of outcomes": "DELETE FROM feedback_corrections",
    "another history of outcomes": "INSERT INTO feedback_corrections VALUES ('heart', 'a', 0, 0, '1', 'x', now())",
    "the maker of logins": "SELECT heartops_admin.admit('mallory', 'x', 'log-mallory', 200, 1, 1)",
    "the end of another": "SELECT heartops_admin.dismiss('victim')",
    "more temporary files": "SET temp_file_limit = -1",
    "a command": "COPY predictions TO PROGRAM 'id'",
    "a file": "COPY predictions TO '/tmp/x'",
    "a deletion": "DELETE FROM predictions",
    "another answer": "UPDATE predictions SET label = 'healthy'",
    "an outcome for another request": "UPDATE feedback SET request_id = 'b'",
    "an empty table": "TRUNCATE predictions",
    "the lock of the migrations": "SELECT pg_advisory_lock(1)",
    "the server's lock table": "SELECT pg_advisory_lock_shared(x) FROM generate_series(1, 1000000) AS x",
    "a record in the log that all databases share": "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000))",
    "a file for each call": "SELECT pg_export_snapshot() FROM generate_series(1, 1000000)",
    "a sequence's reset": "SELECT setval('heartops_log.\"log-mallory\"', 1)",
    "quotas that are off": "SET session_replication_role = replica",
    "triggers that are off": "ALTER TABLE predictions DISABLE TRIGGER ALL",
    "a rule": "CREATE RULE r AS ON INSERT TO predictions DO INSTEAD NOTHING",
    "an event trigger": "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION heartops_log.count_rows()",
    "an extension": "CREATE EXTENSION citext",
    "a publication": "CREATE PUBLICATION p FOR TABLE predictions",
    "another server's tables": "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "a policy on the rows": "CREATE POLICY p ON predictions USING (true)",
    "a replication slot": "SELECT pg_create_physical_replication_slot('x', true)",
    "a file of the server": "SELECT pg_read_file('/etc/passwd')",
    "the passwords' hashes": "SELECT rolpassword FROM pg_authid",
    "another's samples": "SELECT * FROM pg_statistic",
    "the salt of another's password": "SELECT heartops_admin.salt_of('victim')",
    "the database's limits": "ALTER DATABASE heartops CONNECTION LIMIT -1",
    "the end of the server's processes": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS NULL",
    "a table that nobody can alter": "LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE",
}


@pytest.fixture(scope="module")
def owner(postgres: Postgres) -> Iterator[Engine]:
    with create_engine(parse_url(postgres.url), isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("CREATE ROLE mlflow LOGIN PASSWORD 'x'")
    engine = open_database(install_log(postgres))
    for name in ("mallory", "victim"):
        with engine.begin() as connection:
            prepare(connection, name, "x", LIMITS)
    yield engine
    engine.dispose()


@pytest.fixture
def mallory(owner: Engine, postgres: Postgres) -> Iterator[Engine]:
    engine = login(postgres, "mallory")
    yield engine
    engine.dispose()
    with owner.begin() as connection:
        for statement in (
            "DELETE FROM heartops_log.usage",
            'ALTER SEQUENCE heartops_log."log-mallory" RESTART',
            'TRUNCATE "log-mallory".predictions, "log-mallory".feedback CASCADE',
        ):
            connection.exec_driver_sql(statement)


def login(postgres: Postgres, name: str, database: str = "heartops") -> Engine:
    return open_database(postgres.url_of(f"ns-{name}", database=database))


@pytest.mark.parametrize("attack", FORBIDDEN)
def test_a_login_has_no_right_to(mallory: Engine, attack: str) -> None:
    with (
        pytest.raises(DBAPIError, match=r"denied|must be|does not exist|only roles with|must have|superuser"),
        mallory.begin() as connection,
    ):
        connection.exec_driver_sql(FORBIDDEN[attack])


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_other_databases_stay_closed(mallory: Engine, postgres: Postgres, database: str) -> None:
    """Temporary tables there would be under no limit."""
    other = login(postgres, "mallory", database)
    with pytest.raises(OperationalError, match="permission denied for database"), other.begin():
        pass
    other.dispose()


def test_a_login_of_the_first_release_loses_what_it_owned(owner: Engine, postgres: Postgres) -> None:
    """That release gave each namespace a schema, and ran migrations in it: the view was waiting for the next one."""
    administrator = create_engine(parse_url(postgres.url_of("postgres", database="heartops")))
    with administrator.begin() as connection:
        for statement in (
            "CREATE ROLE \"ns-mallory-2\" LOGIN PASSWORD 'x'",
            'CREATE SCHEMA "ns-mallory-2" AUTHORIZATION "ns-mallory-2"',
            'GRANT "ns-mallory-2" TO mlflow',
            'GRANT pg_read_all_data TO "ns-mallory-2"',
            'SET LOCAL ROLE "ns-mallory-2"',
            'SET LOCAL search_path = "ns-mallory-2"',
            "CREATE VIEW alembic_version AS SELECT '0001' AS version_num",
        ):
            connection.exec_driver_sql(statement)
    with owner.begin() as connection:
        prepare(connection, "mallory-2", "x", LIMITS)
    with administrator.begin() as connection:
        assert memberships(connection, "ns-mallory-2") == 0
    administrator.dispose()
    engine = login(postgres, "mallory-2")
    assert store(engine, SEVENTH, row("a")) == 1
    with pytest.raises(DBAPIError, match="denied"), engine.begin() as connection:
        connection.exec_driver_sql('CREATE TABLE "ns-mallory-2".mine (x int)')
    engine.dispose()


def memberships(connection: Connection, role: str) -> int:
    query = "SELECT count(*) FROM pg_auth_members WHERE CAST(:role AS regrole) IN (member, roleid)"
    return int(connection.scalar(text(query), {"role": f'"{role}"'}) or 0)


def test_a_schema_of_somebody_else_is_not_worked_in(owner: Engine, postgres: Postgres) -> None:
    with create_engine(parse_url(postgres.url_of("postgres", database="heartops"))).begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA "log-forged" AUTHORIZATION mlflow')
    with pytest.raises(Exception, match="belongs to another role"), owner.begin() as connection:
        prepare(connection, "forged", "x", LIMITS)


def test_the_owner_makes_no_role_but_a_namespaces(owner: Engine) -> None:
    for statement in ("CREATE ROLE mine", "ALTER ROLE mlflow PASSWORD 'x'", "SET ROLE postgres"):
        with pytest.raises(DBAPIError, match=r"denied|permission|must"), owner.begin() as connection:
            connection.exec_driver_sql(statement)
    with pytest.raises(DBAPIError, match="not the name of a namespace"), owner.begin() as connection:
        connection.exec_driver_sql("SELECT heartops_admin.dismiss('../mlflow')")


def test_connections_are_bounded_for_each_login_and_for_all(owner: Engine, mallory: Engine, postgres: Postgres) -> None:
    taken = [mallory.connect() for _ in range(3)]
    with pytest.raises(OperationalError, match="too many connections for role"):
        login(postgres, "mallory").connect()
    with login(postgres, "victim").connect() as connection:
        assert connection.scalar(text("SELECT current_schema()")) == "log-victim"
    for connection in taken:
        connection.close()


def test_a_day_has_so_many_rows_and_bytes(mallory: Engine, postgres: Postgres) -> None:
    store(mallory, SEVENTH, *(row(f"r{number}") for number in range(50)))
    with pytest.raises(OperationalError, match="daily limit of log-mallory"):
        store(mallory, SEVENTH, row("one more"))
    victim = login(postgres, "victim")
    assert store(victim, SEVENTH, row("a")) == 1
    victim.dispose()


def test_rows_that_are_rolled_back_count_as_well(mallory: Engine, postgres: Postgres) -> None:
    """They stay on the disk until they are vacuumed: 50 rows and a megabyte a day, each of them twice."""
    for _ in range(2 * (50 + 1024) // 49):
        try_rows(mallory, 49)
    with pytest.raises(OperationalError, match="with those rolled back"):
        try_rows(mallory, 49)
    victim = login(postgres, "victim")
    assert store(victim, SEVENTH, row("not mallory's")) == 1
    victim.dispose()


def test_a_statement_without_end_fails_at_the_limit(mallory: Engine) -> None:
    """And not after it has filled the disk."""
    with pytest.raises(OperationalError, match="with those rolled back"):
        try_rows(mallory, 1_000_000_000)


def try_rows(engine: Engine, number: int) -> None:
    """Insert so many rows and take them back."""
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO predictions SELECT 'm', 'r' || x, 0, '1', 'd', now(), '{}', '[]', '{}', '', false"
            f" FROM (SELECT generate_series(1, {number}) AS x) AS numbers"
        )
        connection.rollback()


def test_a_large_outcome_counts_by_its_bytes_also_when_it_replaces_another(mallory: Engine) -> None:
    with mallory.begin() as connection:
        store_outcomes(connection, "heart", {Key("a", 0): "disease"}, NOW)
    noise = "".join(chr(33 + (number * number) % 90) for number in range(3 * 2**20))
    with pytest.raises(OperationalError, match="daily limit of log-mallory"), mallory.begin() as connection:
        store_outcomes(connection, "heart", {Key("a", 0): noise}, NOW)


def test_temporary_files_are_bounded(mallory: Engine) -> None:
    with pytest.raises(OperationalError, match="temporary file size exceeds"), mallory.begin() as connection:
        connection.exec_driver_sql("SELECT x FROM generate_series(1, 2000000) AS x ORDER BY md5(x::text)")


def test_a_login_that_changes_its_own_settings_has_them_for_nothing(owner: Engine, postgres: Postgres) -> None:
    engine = login(postgres, "victim")
    with engine.begin() as connection:
        connection.exec_driver_sql('ALTER ROLE "ns-victim" SET search_path = "log-mallory"')
    engine.dispose()
    with owner.begin() as connection:
        prepare(connection, "victim", "x", LIMITS)
    engine = login(postgres, "victim")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_schema()")) == "log-victim"
    engine.dispose()


def test_another_password_shuts_the_earlier_one_out_and_keeps_the_rows(owner: Engine, postgres: Postgres) -> None:
    with owner.begin() as connection:
        prepare(connection, "rotated", "x", LIMITS)
    engine = login(postgres, "rotated")
    store(engine, SEVENTH, row("a"))
    engine.dispose()
    with owner.begin() as connection:
        prepare(connection, "rotated", "another", LIMITS)
    with pytest.raises(OperationalError, match="password authentication failed"), engine.connect():
        pass
    renewed = open_database(postgres.url_of("ns-rotated", "another", "heartops"))
    assert rows(renewed) == 1
    renewed.dispose()


def test_another_password_ends_the_sessions_that_used_the_earlier_one(owner: Engine, postgres: Postgres) -> None:
    """Whoever holds a leaked password may have a connection open; the same password again disturbs nobody."""
    with owner.begin() as connection:
        prepare(connection, "rotated", "leaked", LIMITS)
    ended(owner)
    engine = open_database(postgres.url_of("ns-rotated", "leaked", "heartops"))
    session = engine.connect()
    with owner.begin() as connection:
        prepare(connection, "rotated", "leaked", LIMITS)
    ended(owner)
    session.exec_driver_sql("SELECT 1")
    session.commit()
    with owner.begin() as connection:
        prepare(connection, "rotated", "another", LIMITS)
    assert ended(owner)
    with pytest.raises(OperationalError, match=ENDED):
        session.exec_driver_sql("SELECT 1")
    session.close()
    engine.dispose()
    renewed = open_database(postgres.url_of("ns-rotated", "another", "heartops"))
    with renewed.connect() as connection:
        ended(owner)
        connection.exec_driver_sql("SELECT 1")
    renewed.dispose()


def test_a_namespace_of_the_same_name_inherits_nothing(owner: Engine, postgres: Postgres) -> None:
    with owner.begin() as connection:
        prepare(connection, "gone", "x", LIMITS)
    engine = login(postgres, "gone")
    store(engine, SEVENTH, row("a"))
    for _ in range(2):
        with owner.begin() as connection:
            remove(connection, "gone")
    with pytest.raises(OperationalError), engine.connect() as connection:
        connection.scalar(text("SELECT 1"))
    engine.dispose()
    with owner.begin() as connection:
        prepare(connection, "gone", "another", LIMITS)
    heir = open_database(postgres.url_of("ns-gone", "another", "heartops"))
    assert rows(heir) == 0
    heir.dispose()


def rows(engine: Engine) -> int:
    with engine.begin() as connection:
        return len(read_window(connection, "heart", hours_ago(1), hours_ago(-1), version=None, limit=9))


def test_a_login_lets_old_rows_be_deleted_and_subjects_be_erased(mallory: Engine) -> None:
    """It has no right to DELETE; the schema's functions have."""
    store(mallory, SEVENTH, row("old", time=hours_ago(72)), row("new"), row("theirs", subject="patient 7"))
    with mallory.begin() as connection:
        store_outcomes(connection, "heart", {Key("theirs", 0): "disease", Key("new", 0): "disease"}, NOW)
        assert delete_older(connection, predictions, "heart", hours_ago(48), 10) == 1
        assert delete_older(connection, feedback, "heart", hours_ago(48), 10) == 0
        assert erase(connection, "heart", "patient 7", [], datetime.now(UTC)) == (1, 1)
        assert erase(connection, "heart", None, ["new"], datetime.now(UTC) + timedelta(seconds=1)) == (1, 1)
        assert connection.exec_driver_sql("SELECT sum(predictions), sum(outcomes) FROM erasures").one() == (2, 2)
    assert rows(mallory) == 0


def test_a_correction_leaves_the_earlier_outcome_and_nobody_replaces_anothers(mallory: Engine) -> None:
    """Whatever the login does: the trigger has the rights of the tables' owner."""
    answer = Key("a", 0)
    with mallory.begin() as connection:
        assert store_outcomes(connection, "heart", {answer: "disease"}, NOW, "clinic") == Stored(1, 0, 0)
        assert store_outcomes(connection, "heart", {answer: "healthy"}, NOW, "mallory") == Stored(0, 0, 0, 1)
        assert store_outcomes(connection, "heart", {answer: "healthy"}, NOW, "clinic") == Stored(0, 1, 0)
        connection.exec_driver_sql("UPDATE feedback SET outcome = '\"other\"', corrections = 7")
        query = "SELECT correction, outcome, author FROM feedback_corrections ORDER BY correction"
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
        assert found == [(0, "disease", "clinic"), (1, "healthy", "clinic")]
        assert erase(connection, "heart", None, ["a"], datetime.now(UTC)).outcomes == 1
        assert connection.scalar(text("SELECT count(*) FROM feedback_corrections")) == 0


def test_a_statement_ends_although_the_login_lifted_its_timeout(owner: Engine, postgres: Postgres) -> None:
    with owner.begin() as connection:
        prepare(connection, "slow", "x", replace(LIMITS, statement_seconds=1))
    slow, victim = login(postgres, "slow"), login(postgres, "victim")
    with slow.connect() as session, victim.connect() as other, ThreadPoolExecutor() as threads:
        session.exec_driver_sql("SET statement_timeout = 0")
        endless = threads.submit(session.exec_driver_sql, "SELECT pg_sleep(600)")
        within = threads.submit(other.exec_driver_sql, "SELECT pg_sleep(3)")
        poll("it ends", lambda: ended(owner), 30)
        with pytest.raises(OperationalError, match=ENDED):
            endless.result(30)
        within.result(30)
    for engine in (slow, victim):
        engine.dispose()


def test_a_transaction_ends_however_short_its_statements(owner: Engine, postgres: Postgres) -> None:
    with owner.begin() as connection:
        prepare(connection, "slow", "x", replace(LIMITS, statement_seconds=1))
    slow = login(postgres, "slow")
    session = slow.connect()
    session.exec_driver_sql("SET idle_in_transaction_session_timeout = 0")
    poll("it ends", lambda: ended(owner), 30)
    with pytest.raises(OperationalError, match=ENDED):
        session.exec_driver_sql("SELECT 1")
    session.close()
    slow.dispose()


def ended(owner: Engine) -> bool:
    """What the image's watch asks for every five seconds."""
    with owner.begin() as connection:
        return bool(connection.scalar(text("SELECT heartops_admin.end_long_statements()")))
