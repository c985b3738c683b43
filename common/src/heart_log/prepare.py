"""A login and a schema for each namespace, in one database.

Run as `heartops_owner`, which owns the database, every schema and every table, and can make no roles: the functions of
schema `heartops_admin` (charts/images/postgres/logins.sql) do that. A login may INSERT and SELECT in its own schema,
correct an outcome, and call the functions of migration 0002.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from heart_log.migrate import migrate, take_turns
from heart_log.quota import COUNTER, limit_rows
from heart_log.scram import scram_secret

LOGIN_PREFIX = "ns-"
"""Prefix of the roles of namespaces: `mlflow` and `postgres` are possible names of namespaces."""
SCHEMA_PREFIX = "log-"
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,57}[a-z0-9])?")
"""PostgreSQL's names have 63 bytes."""


class BadNamespace(Exception):
    """The name cannot become a role's."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one namespace may use of the server; a login can lift none of it. With a PostgreSQL that is not the chart's,
    nothing ends the statements of a login that lifts its own timeout."""

    connections: int = 20
    statement_seconds: int = 30
    """Of a statement, and of an open transaction that does nothing."""
    temp_megabytes: int = 256
    """Temporary files of one connection."""
    rows_per_day: int = 5_000_000
    megabytes_per_day: int = 2_000
    """Of predictions and outcomes, before indexes and compression."""


def read_passwords(folder: Path) -> dict[str, str]:
    """A mounted Secret: file name = namespace, content = password. Raises BadNamespace."""
    found = {path.name: path.read_text().strip() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    for name, password in found.items():
        if not NAMESPACE.fullmatch(name) or not password:
            raise BadNamespace(f"{folder}/{name}: needs a namespace's name of at most 59 characters, and a password")
    return found


SALT = text("SELECT heartops_admin.salt_of(:namespace)")


def prepare(connection: Connection, namespace: str, password: str, limits: Limits) -> None:
    """Login, schema and the newest tables, whatever of them is there already; in the caller's transaction.

    With another password than before the chart's PostgreSQL ends the login's earlier sessions.
    """
    take_turns(connection)  # two at a time fail: "tuple concurrently updated"
    login, schema = LOGIN_PREFIX + namespace, SCHEMA_PREFIX + namespace
    admit = text("SELECT heartops_admin.admit(:namespace, :secret, :schema, :connections, :seconds, :megabytes)")
    values = {
        "namespace": namespace,
        "secret": scram_secret(password, connection.scalar(SALT, {"namespace": namespace})),
        "schema": schema,
        "connections": limits.connections,
        "seconds": limits.statement_seconds,
        "megabytes": limits.temp_megabytes,
    }
    connection.execute(admit, values)
    _run(connection, "CREATE SCHEMA IF NOT EXISTS %1$I AUTHORIZATION CURRENT_USER", schema, login)
    _check_owner(connection, schema)
    _run(connection, "SET LOCAL search_path = %1$I, pg_temp", schema, login)
    migrate(connection, schema)
    limit_rows(connection, schema, limits.rows_per_day, limits.megabytes_per_day * 2**20)
    for statement in GRANTS:
        _run(connection, statement, schema, login)


GRANTS = (
    "REVOKE ALL ON SCHEMA %1$I FROM PUBLIC, %2$I",
    "REVOKE ALL ON ALL TABLES IN SCHEMA %1$I FROM PUBLIC, %2$I",
    "GRANT USAGE ON SCHEMA %1$I TO %2$I",
    "GRANT SELECT, INSERT ON %1$I.predictions, %1$I.feedback TO %2$I",
    "GRANT UPDATE (outcome, time, corrections) ON %1$I.feedback TO %2$I",
    "GRANT SELECT ON %1$I.erasures, %1$I.feedback_corrections TO %2$I",
    "GRANT EXECUTE ON FUNCTION %1$I.forget_predictions, %1$I.forget_feedback, %1$I.erase TO %2$I",
)


def remove(connection: Connection, namespace: str) -> None:
    """Everything that `prepare` made for a namespace, rows included. Raises BadNamespace."""
    if not NAMESPACE.fullmatch(namespace):
        raise BadNamespace(f"{namespace!r} is not the name of a namespace")
    schema = SCHEMA_PREFIX + namespace
    _run(connection, "DROP SCHEMA IF EXISTS %1$I CASCADE", schema, "")
    _run(connection, f"DROP SEQUENCE IF EXISTS {COUNTER}", schema, "")
    connection.execute(text("SELECT heartops_admin.dismiss(:namespace)"), {"namespace": namespace})


def _check_owner(connection: Connection, schema: str) -> None:
    """Raises BadNamespace if the schema has another owner: no statement runs where others may have created objects."""
    owned = text("SELECT nspowner = current_user::regrole FROM pg_namespace WHERE nspname = :schema")
    if not connection.scalar(owned, {"schema": schema}):
        raise BadNamespace(f"schema {schema} exists and belongs to another role: drop it, then prepare again")


def _run(connection: Connection, statement: str, schema: str, login: str) -> None:
    """The server quotes the names (%I)."""
    query = text("SELECT format(:statement, CAST(:schema AS text), CAST(:login AS text))")
    values = {"statement": statement, "schema": schema, "login": login}
    connection.exec_driver_sql(str(connection.scalar(query, values)).replace("%", "%%"))
