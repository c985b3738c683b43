"""Schema migrations: from whatever a database has to the newest tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x48656172746F7073
"""Key of PostgreSQL's advisory lock: two Jobs at the same time take turns."""


def take_turns(connection: Connection) -> None:
    """Wait until no other Job works on the database; PostgreSQL only. Ends with the transaction."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def migrate(connection: Connection, schema: str | None = None) -> None:
    """Migrate to the newest revision, in one transaction that the caller commits.

    `schema`: where the tables and Alembic's own are; by default the first one of the search path. Only the connection's
    role may have the right to create objects in it.
    """
    if connection.dialect.name == "postgresql":
        take_turns(connection)
        schema = schema or connection.exec_driver_sql("SELECT current_schema()").scalar()
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    command.upgrade(config, "head")


def head() -> str:
    """The newest revision."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config
