"""A role and a schema for each namespace, in one database. For an administrator's role with CREATEROLE that owns it."""

import re
from pathlib import Path

from sqlalchemy import Connection, text

from heart_log.migrate import migrate

PREFIX = "ns-"
"""So that no namespace's role is somebody else's: `mlflow` and `postgres` are possible names of namespaces."""
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,58}[a-z0-9])?")
"""PostgreSQL's names have 63 bytes."""


class BadNamespace(Exception):
    """The name cannot become a role's."""


def read_passwords(folder: Path) -> dict[str, str]:
    """A mounted Secret: file name = namespace, content = password. Raises BadNamespace."""
    found = {path.name: path.read_text().strip() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    for name, password in found.items():
        if not NAMESPACE.fullmatch(name) or not password:
            raise BadNamespace(f"{folder}/{name}: needs a namespace's name of at most 60 characters, and a password")
    return found


def prepare(connection: Connection, namespace: str, password: str) -> None:
    """Role, schema and the newest tables, whatever of them is there already; in the caller's transaction."""
    role = PREFIX + namespace
    exists = connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role})
    _run(connection, f"{'ALTER' if exists else 'CREATE'} ROLE %1$I LOGIN PASSWORD %2$L", role, password)
    for statement in (
        "GRANT %1$I TO CURRENT_USER",
        "REVOKE CONNECT ON DATABASE %3$I FROM PUBLIC",
        "GRANT CONNECT ON DATABASE %3$I TO %1$I",
        "CREATE SCHEMA IF NOT EXISTS %1$I AUTHORIZATION %1$I",
        "ALTER ROLE %1$I IN DATABASE %3$I SET search_path = %1$I",
        "SET LOCAL ROLE %1$I",
        "SET LOCAL search_path = %1$I",
    ):
        _run(connection, statement, role, password)
    migrate(connection)


def _run(connection: Connection, statement: str, role: str, password: str) -> None:
    """The server quotes: names as %I, the password as %L."""
    values = {"statement": statement, "role": role, "password": password}
    query = text("SELECT format(:statement, CAST(:role AS text), CAST(:password AS text), current_database())")
    connection.exec_driver_sql(str(connection.scalar(query, values)).replace("%", "%%"))
