"""Addresses are checked before anything is connected, and never repeated."""

import pytest

from heart_log.database import BadUrl, open_database


@pytest.mark.parametrize(
    "url", ["mysql://heart:secret@db/log", "secret", "", "postgresql://heart:secret@db:port/log", "http://secret"]
)
def test_a_wrong_address_is_named_without_its_password(url: str) -> None:
    with pytest.raises(BadUrl) as error:
        open_database(url)
    assert "HEARTOPS_DATABASE_URL" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_goes_by_several_names(scheme: str) -> None:
    engine = open_database(f"{scheme}://heart:secret@db/log")
    assert engine.url.drivername == "postgresql+psycopg2"
    assert "secret" not in repr(engine)
