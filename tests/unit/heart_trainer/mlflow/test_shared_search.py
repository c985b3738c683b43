"""Pods that share a search hand over settings by way of MLflow, and believe a seal alone."""

import json
from pathlib import Path

import pytest

from heart_api.handover import Tag, TrainingRequest
from heart_api.training import Training
from heart_trainer.errors import TrainerError
from heart_trainer.fit.helpers import Settings
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.shared_search import FILE, INDEX, SharedSearch, rank_of
from tests.support.trainer.requests import MIXED, request

FOUND: dict[int, Settings] = {
    0: [("logistic-regression", {"C": 0.1}), ("random-forest", {"max_features": "sqrt", "min_samples_leaf": 3})],
    2: [("logistic-regression", {"C": 1 / 3})],
}
DATASET = "sha256:" + "d" * 64


def _asked(**training: object) -> TrainingRequest:
    return request(MIXED).model_copy(
        update={"training": Training.model_validate({"tuning": {"parallelism": 3}, "timeoutSeconds": 30, **training})}
    )


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def _pod(uri: str, rank: int, key: str = "key", dataset: str = DATASET, trigger: str = "test") -> SharedSearch:
    clock = Clock()
    asked = _asked().model_copy(update={"trigger": trigger})
    return SharedSearch(Store(uri), asked, dataset, key, rank, lambda _: None, clock, clock.wait)


def test_settings_arrive_as_they_were_found(tracking_uri: str) -> None:
    _pod(tracking_uri, 1).publish({0: FOUND[0]})
    _pod(tracking_uri, 2).publish({2: FOUND[2]})
    found = _pod(tracking_uri, 0).collect({0, 2})
    assert {number: [tuple(each) for each in settings] for number, settings in found.items()} == FOUND


@pytest.mark.parametrize(
    "stranger",
    [{"key": "guessed"}, {"dataset": "sha256:" + "e" * 64}, {"trigger": "other"}],
    ids=["another key", "other rows", "another training"],
)
def test_what_is_not_sealed_for_this_training_is_not_waited_for_forever(
    tracking_uri: str, stranger: dict[str, str]
) -> None:
    _pod(tracking_uri, 1, **stranger).publish(FOUND)
    with pytest.raises(TrainerError, match="the searches 0, 2 of other pods did not arrive") as caught:
        _pod(tracking_uri, 0).collect({0, 2})
    assert not caught.value.permanent


def test_file_that_somebody_changed_is_passed_over(tracking_uri: str, tmp_path: Path) -> None:
    store = Store(tracking_uri)
    _pod(tracking_uri, 1).publish(FOUND)
    (run,) = store.client.search_runs([store.experiment("clinic.model")], f"tags.`{Tag.SEARCH}` = 'test'")
    document = json.loads(store.read_run(run.info.run_id, FILE))
    document["settings"] = document["settings"].replace("0.1", "9.9")
    (tmp_path / "changed").mkdir()
    (tmp_path / "changed" / FILE).write_text(json.dumps(document))
    store.log_folder(run.info.run_id, tmp_path / "changed")
    with pytest.raises(TrainerError):
        _pod(tracking_uri, 0).collect({0})


def test_nothing_is_left_of_it_afterwards(tracking_uri: str) -> None:
    _pod(tracking_uri, 1).publish(FOUND)
    first = _pod(tracking_uri, 0)
    first.collect({0, 2})
    first.forget()
    store = Store(tracking_uri)
    assert list(store.client.search_runs([store.experiment("clinic.model")])) == []


def test_a_pod_knows_its_number_only_where_the_search_is_shared() -> None:
    assert rank_of(_asked(), {INDEX: "2"}) == 2
    assert rank_of(_asked(), {}) is None
    assert rank_of(_asked(tuning={"parallelism": 1}), {INDEX: "2"}) is None
