"""A search that several pods share ends in the very model that one pod would have made."""

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import pytest

from heart_api.handover import TrainingRequest
from heart_trainer.fit.helpers import Settings, own_part
from heart_trainer.fit.nested_cv import fit, help_searching
from heart_trainer.values import Fitted, Table
from tests.support.trainer.requests import HEART, HEART_TARGET, request, synthetic_patients

SEARCHED = request(
    HEART,
    HEART_TARGET,
    algorithms=["logistic-regression", "random-forest"],
    tuning={"trials": 2},
    crossValidation={"folds": 2},
)


class InMemory:
    """What MLflow is between pods."""

    def __init__(self, rank: int, count: int, shelf: dict[int, Settings]) -> None:
        self.rank, self.count, self.shelf = rank, count, shelf

    def publish(self, found: Mapping[int, Settings]) -> None:
        self.shelf |= found

    def collect(self, wanted: AbstractSet[int]) -> Mapping[int, Settings]:
        return {number: self.shelf[number] for number in wanted}


def _trained(table: Table, asked: TrainingRequest, count: int) -> Fitted:
    shelf: dict[int, Settings] = {}
    for rank in range(1, count):
        help_searching(table, asked, InMemory(rank, count, shelf), lambda _: None)
    return fit(table, asked, lambda _: None, InMemory(0, count, shelf))


def test_however_many_pods_search_the_model_is_the_same() -> None:
    table = synthetic_patients()
    alone, shared = fit(table, SEARCHED, lambda _: None), _trained(table, SEARCHED, 2)
    assert hashlib.sha256(shared.onnx).hexdigest() == hashlib.sha256(alone.onnx).hexdigest()
    assert shared.oof.output.tobytes() == alone.oof.output.tobytes()
    assert shared.oof.choices == alone.oof.choices
    assert [(one.algorithm, one.params) for one in shared.families] == [
        (one.algorithm, one.params) for one in alone.families
    ]


@pytest.mark.parametrize("sets", range(1, 8))
@pytest.mark.parametrize("count", range(1, 10))
def test_every_set_of_rows_is_searched_by_one_pod(sets: int, count: int) -> None:
    parts = [own_part(InMemory(rank, count, {}), sets) for rank in range(count)]
    assert sorted(number for part in parts for number in part) == list(range(sets))
    assert len(parts[0]) == min(len(part) for part in parts)
