"""Trees that are grown from parts of the rows in turn."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from heart_trainer.external import boosting
from heart_trainer.external.boosting import Batch, News, Turn, boost, turns_of
from heart_trainer.fit.boosted import BoostedRegressor

PARTS = tuple(range(60))
ROWS_OF_A_PART = 200


def batches(parts: Sequence[int]) -> Iterator[Batch]:
    for part in parts:
        x = np.random.default_rng(part).normal(size=(ROWS_OF_A_PART, 4)).astype(np.float32)
        yield x, np.asarray(x[:, 0] * 2 + np.sin(3 * x[:, 1]), np.float64)


def trees(folder: Path, turns: Sequence[Turn], said: list[str] | None = None) -> bytes:
    settings = {**BoostedRegressor().settings(), "objective": "reg:squarederror", "base_score": 0.0}
    news = News(sum(turn.trees for turn in turns), (said if said is not None else []).append)
    folder.mkdir()
    return bytes(boost(settings, turns, batches, folder, news).save_raw("json"))


def test_few_rows_have_one_turn() -> None:
    assert turns_of(PARTS, boosting.MOST_ROWS, 1, 100) == [Turn(PARTS, 100)]


@pytest.mark.parametrize(("rows", "workers", "count"), [(10_000_001, 1, 2), (38_000_000, 1, 4), (38_000_000, 2, 2)])
def test_no_worker_has_more_rows_at_a_time_than_its_memory_holds(rows: int, workers: int, count: int) -> None:
    found = turns_of(PARTS, rows, workers, 100)
    assert len(found) == count
    assert sorted(part for turn in found for part in turn.parts) == list(PARTS)
    assert sum(turn.trees for turn in found) == 100
    most = max(len(turn.parts) for turn in found) / len(PARTS) * rows / workers
    assert most < boosting.MOST_ROWS * 1.1


@pytest.mark.parametrize("most", [1, 3])
def test_there_are_no_more_turns_than_trees_or_parts(most: int) -> None:
    assert len(turns_of(PARTS, 10**12, 1, most)) == most
    assert len(turns_of(PARTS[:most], 10**12, 1, 100)) == most


def test_a_turn_goes_on_exactly_where_the_one_before_it_ended(tmp_path: Path) -> None:
    """The same rows twice make the trees of one turn: nothing is lost between turns."""
    parts = (0, 1, 2)
    at_once = trees(tmp_path / "one", [Turn(parts, 10)])
    assert trees(tmp_path / "two", [Turn(parts, 4), Turn(parts, 6)]) == at_once
    assert trees(tmp_path / "other", [Turn(parts, 4), Turn((3, 4, 5), 6)]) != at_once


def test_every_turns_rows_are_learnt_from(tmp_path: Path) -> None:
    first = trees(tmp_path / "first", [Turn((0,), 5), Turn((1,), 5)])
    assert trees(tmp_path / "second", [Turn((0,), 5), Turn((2,), 5)]) != first


def test_progress_counts_the_trees_of_all_turns(tmp_path: Path) -> None:
    said: list[str] = []
    trees(tmp_path / "said", [Turn((0,), 13), Turn((1,), 17)], said)
    assert said == [
        "rows are binned; growing trees (part 1 of 2)",
        "rows are binned; growing trees (part 2 of 2)",
        "25 of 30 trees are grown",
        "30 of 30 trees are grown",
    ]
