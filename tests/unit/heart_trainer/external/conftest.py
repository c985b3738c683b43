"""Chunks so small that a few thousand rows make many."""

import pandas as pd
import pytest

from heart_trainer.data import rowgroups, textblocks
from heart_trainer.external import prepared
from tests.support.trainer.large_files import small_cohort


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowgroups, "ROWS", 256)
    monkeypatch.setattr(textblocks, "ROWS", 256)
    monkeypatch.setattr(prepared, "ROWS", 512)


@pytest.fixture
def cohort() -> pd.DataFrame:
    return small_cohort()
