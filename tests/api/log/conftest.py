from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from heart_log.database import open_database
from heart_log.migrate import migrate
from tests.support.registry.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of this run alone."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def url(postgres: Postgres) -> str:
    """An empty schema."""
    engine = open_database(postgres.url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres.url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    with engine.begin() as connection:
        migrate(connection)
    yield engine
    engine.dispose()
