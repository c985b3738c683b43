"""A URL to an engine whose connections give up in time."""

from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

URL_VARIABLE = "HEARTOPS_DATABASE_URL"
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 20
"""Statement timeout; no statement needs as long, and without it a hanging server would hold its thread for ever."""


class BadUrl(Exception):
    """The address cannot be used; the message says why, and never holds the password."""


def open_database(url: str) -> Engine:
    """Connects to nothing yet; then keeps one connection, and has three at most. Raises BadUrl.

    `postgresql://role:password@host/database` (the role's search path names the schema) or `sqlite:///file`.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": CONNECT_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "heartops",
        "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={CONNECT_SECONDS}s",
        "tcp_user_timeout": STATEMENT_SECONDS * 1000,  # a server that vanished silently
        "keepalives_idle": 10,
    }
    pool = {"pool_size": 1, "max_overflow": 2, "pool_timeout": CONNECT_SECONDS, "pool_pre_ping": True}
    return create_engine(parsed, connect_args=arguments, **pool)


def parse_url(url: str) -> URL:
    """Raises BadUrl."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise BadUrl(f"{URL_VARIABLE} is not an address like postgresql://role:password@host/database") from None
    backend = parsed.get_backend_name()
    if backend not in ("postgresql", "postgres", "sqlite"):
        raise BadUrl(f"{URL_VARIABLE} must begin with postgresql:// or sqlite:///")
    return parsed if backend == "sqlite" else parsed.set(drivername="postgresql+psycopg2")


def plain(error: SQLAlchemyError) -> str:
    """The error without the database's message, which may contain a value or a password."""
    if isinstance(error, DBAPIError):
        return f"{type(error.orig).__name__} {getattr(error.orig, 'pgcode', None) or ''}".strip()
    return type(error).__name__


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Readers and one writer at a time, without waiting for each other."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
