"""Processes for the search are started early, and only for a training that uses them."""

import threading
from typing import Any

import joblib
import pytest

from heart_api.training import Training
from heart_trainer.fit import workers


@pytest.mark.parametrize(
    ("training", "cores", "expected"),
    [
        ({}, 2, 2),
        ({"algorithms": ["logistic-regression", "random-forest"]}, 2, 2),
        ({"crossValidation": {"folds": 3}}, 64, 4),
        ({}, 1, 0),
        ({"holdout": 0.2}, 2, 0),
        ({"algorithms": ["logistic-regression"]}, 2, 0),
    ],
)
def test_as_many_as_search_at_a_time(
    training: dict[str, Any], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    ended = threading.Event()

    def note(number: int) -> None:
        started.append(number)
        ended.set()

    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    monkeypatch.setattr(workers, "_import_in_each", note)
    workers.start_workers(Training.model_validate(training))
    if expected:
        assert ended.wait(10)
    assert started == [expected] * bool(expected)


def test_they_import_what_the_search_needs_and_are_used_again() -> None:
    workers._import_in_each(2)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(has_imported)(workers.SEARCH) for _ in range(4))
    assert any(found), "a pool of its own would know nothing of it"


def has_imported(name: str) -> bool:
    import sys

    return name in sys.modules
