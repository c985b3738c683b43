"""What holds for every test."""

import gc

import pytest

# An eighth of the unit stage went to a collector that looked through imported modules, ever again.
gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()
