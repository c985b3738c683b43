"""Processes for the search are started early, only for a training that uses them, and help once they have searched."""

import os
import threading
import time
from pathlib import Path
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


def test_work_beside_is_done_by_another_process_if_there_is_one() -> None:
    assert workers.begin_beside(2, os.getpid)() != os.getpid()
    assert workers.begin_beside(0, os.getpid)() == os.getpid()


@pytest.mark.parametrize("number", [0, 2])
def test_an_error_of_work_beside_is_raised_to_who_asks_for_the_result(number: int) -> None:
    result = workers.begin_beside(number, fail)
    with pytest.raises(ValueError, match="no such figure"):
        result()


@pytest.mark.filterwarnings("error")
def test_nobody_needs_to_ask_for_the_result_of_work_beside() -> None:
    """A training whose evaluation fails leaves its figures alone."""
    workers.begin_beside(2, os.getpid)
    assert workers.begin_beside(2, os.getpid)() != os.getpid()


def test_stopped_workers_are_gone_and_new_ones_come_when_they_are_needed() -> None:
    old = workers.begin_beside(2, os.getpid)()
    workers.stop_workers()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{old}").exists():
        assert time.monotonic() < deadline, "the worker goes on"
        time.sleep(0.01)
    assert workers.begin_beside(2, os.getpid)() not in (old, os.getpid())


def test_there_need_be_none_to_stop() -> None:
    workers.stop_workers()
    workers.stop_workers()


def fail() -> None:
    raise ValueError("no such figure")


def has_imported(name: str) -> bool:
    import sys

    return name in sys.modules
