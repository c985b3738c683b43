"""Comparisons with the serving version that no site can have counted."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from heart_trainer.federation.plausibility import CHECKS, Known
from heart_trainer.sums.additive import StatisticRejected
from heart_trainer.sums.paired import PairedRequest

HONEST: dict[str, Any] = {
    "rows": np.array([[40, 20], [0, 40]]),
    "candidate": np.array([[10.0, 15.0], [0.0, 40.0]]),
    "serving": np.array([[8.0, 12.0], [0.0, 39.0]]),
}


def compare(rows: int = 100, **sums: Any) -> None:
    request: Any = SimpleNamespace(scale=None)
    CHECKS[PairedRequest](request, HONEST | sums, Known(rows))


def test_what_a_site_can_have_counted_is_believed() -> None:
    compare()


def test_more_compared_rows_than_a_site_has_are_not_believed() -> None:
    with pytest.raises(StatisticRejected, match="compares more rows than it described"):
        compare(rows=99)


@pytest.mark.parametrize("name", ["candidate", "serving"])
def test_probabilities_above_one_are_not_believed(name: str) -> None:
    with pytest.raises(StatisticRejected, match=f"{name}: probabilities above 1"):
        compare(**{name: HONEST["rows"] * 1.01})
