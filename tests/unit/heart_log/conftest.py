from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from heart_log.database import open_database
from heart_log.migrate import migrate


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database; tests/api/log runs the same tests on PostgreSQL."""
    return f"sqlite:///{tmp_path}/log.db"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """With the newest tables."""
    engine = open_database(url)
    with engine.begin() as connection:
        migrate(connection)
    yield engine
    engine.dispose()
