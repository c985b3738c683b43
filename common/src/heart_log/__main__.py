"""Administration of the prediction log: tables, logins, erasure. Every command waits for the database; safe to
repeat."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from heart_log.database import URL_VARIABLE, BadUrl, open_database, plain
from heart_log.migrate import head, migrate
from heart_log.prepare import BadNamespace, Limits, prepare, read_passwords, remove
from heart_log.write import erase

PATIENCE_SECONDS = 600.0
PAUSE_SECONDS = 2.0
Step = Callable[[Connection], str]
"""Works in one transaction; returns what it did."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: success; 1: the database rejected a statement or is unavailable; 2: wrong arguments or address."""
    options = _parser().parse_args(arguments)
    try:
        engine = open_database(os.environ.get(URL_VARIABLE, ""))
        failed = _carry_out(engine, _steps(options))
    except (BadUrl, BadNamespace) as error:
        print(error, file=sys.stderr)
        return 2
    for name, why in failed.items():
        print(f"{name}: the database rejected it: {_reason(why)}", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m heart_log", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help=f"bring the schema that {URL_VARIABLE} names to the newest tables")
    preparing = commands.add_parser("prepare", help="make a login and a schema for each namespace (owner's URL)")
    preparing.add_argument("folder", type=Path, help="a file for each namespace, holding its password")
    for limit in fields(Limits):
        preparing.add_argument(f"--{limit.name.replace('_', '-')}", type=int, default=limit.default, metavar="N")
    removing = commands.add_parser("remove", help="drop a namespace's login, schema and rows (owner's URL)")
    removing.add_argument("namespace")
    erasing = commands.add_parser("erase", help="delete what is stored of requests or of a subject (namespace's URL)")
    erasing.add_argument("model")
    erasing.add_argument("--request-id", action="append", default=[], help="may be given several times")
    erasing.add_argument("--subject", help="the subject key that the caller sent with its requests")
    return parser


def _steps(options: argparse.Namespace) -> dict[str, Step]:
    """By what they are about. Raises BadNamespace."""
    match options.command:
        case "migrate":
            return {"migrate": _migrated}
        case "prepare":
            limits = Limits(**{limit.name: getattr(options, limit.name) for limit in fields(Limits)})
            passwords = read_passwords(options.folder)
            return {name: partial(_prepared, name, password, limits) for name, password in passwords.items()}
        case "remove":
            return {options.namespace: partial(_removed, options.namespace)}
        case _:
            return {options.model: partial(_erased, options.model, options.subject, options.request_id)}


def _migrated(connection: Connection) -> str:
    migrate(connection)
    return f"the tables have revision {head()}"


def _prepared(namespace: str, password: str, limits: Limits, connection: Connection) -> str:
    prepare(connection, namespace, password, limits)
    return f"the tables have revision {head()}"


def _removed(namespace: str, connection: Connection) -> str:
    remove(connection, namespace)
    return "login, schema and rows are gone"


def _erased(model: str, subject: str | None, requests: Sequence[str], connection: Connection) -> str:
    found = erase(connection, model, subject, requests, datetime.now(UTC))
    return f"erased {found.predictions} predictions and {found.outcomes} outcomes"


def _carry_out(engine: Engine, steps: Mapping[str, Step]) -> dict[str, Exception]:
    """Each in a transaction of its own, as soon as the database answers; one that fails holds up no other.

    Returns those that failed for good. Raises BadNamespace.
    """
    failed: dict[str, Exception] = {}
    waiting, give_up_at = dict(steps), time.monotonic() + PATIENCE_SECONDS
    while waiting:
        again: dict[str, Step] = {}
        for name, step in waiting.items():
            try:
                with engine.begin() as connection:
                    done = step(connection)
                print(f"{name}: {done}", flush=True)
            except OperationalError as error:
                if time.monotonic() > give_up_at:
                    failed[name] = error
                else:
                    again[name] = step
                    print(f"{name}: waiting for the database ({plain(error)})", flush=True)
            except (SQLAlchemyError, BadNamespace) as error:
                failed[name] = error
        waiting = again
        if waiting:
            time.sleep(PAUSE_SECONDS)
    return failed


def _reason(error: Exception) -> str:
    return plain(error) if isinstance(error, SQLAlchemyError) else str(error)


if __name__ == "__main__":
    sys.exit(main())
