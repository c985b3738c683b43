"""`python -m heart_log migrate | prepare FOLDER`: the migration Job. Waits for the database; safe to repeat."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from heart_log.database import URL_VARIABLE, BadUrl, open_database, plain
from heart_log.migrate import head, migrate
from heart_log.prepare import BadNamespace, prepare, read_passwords

PATIENCE_SECONDS = 600.0
PAUSE_SECONDS = 2.0
Step = Callable[[Connection], None]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m heart_log", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help=f"bring the schema that {URL_VARIABLE} names to the newest tables")
    preparing = commands.add_parser("prepare", help="make a role and a schema for each namespace (administrator's URL)")
    preparing.add_argument("folder", type=Path, help="a file for each namespace, holding its password")
    options = parser.parse_args(arguments)
    try:
        engine = open_database(os.environ.get(URL_VARIABLE, ""))
        work: dict[str, Step] = {"migrate": migrate} if options.command == "migrate" else _preparations(options.folder)
        for name, step in work.items():
            _patiently(engine, step)
            print(f"{name}: the tables have revision {head()}", flush=True)
    except (BadUrl, BadNamespace) as error:
        print(error, file=sys.stderr)
        return 2
    except SQLAlchemyError as error:
        print(f"the database did not take it: {plain(error)}", file=sys.stderr)
        return 1
    return 0


def _preparations(folder: Path) -> dict[str, Step]:
    passwords = read_passwords(folder)
    return {name: partial(prepare, namespace=name, password=password) for name, password in passwords.items()}


def _patiently(engine: Engine, step: Step) -> None:
    """In one transaction, as soon as the database answers. Raises SQLAlchemyError when it refuses or stays away."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with engine.begin() as connection:
                step(connection)
            return
        except OperationalError as error:
            if time.monotonic() > give_up_at:
                raise
            print(f"waiting for the database ({plain(error)})", flush=True)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
