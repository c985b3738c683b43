"""Labelled predictions become rows like those of a file: same keys, same checks, and the digest covers them."""

import json
from pathlib import Path
from typing import Any

import pytest

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import TrainingRequest
from heart_log.database import open_database
from heart_log.migrate import migrate
from heart_log.values import Key, Source
from heart_log.write import store_outcomes, store_predictions
from heart_trainer.data.load import load
from heart_trainer.errors import DataInvalid, SourceError
from heart_trainer.values import Table
from tests.support.trainer.requests import category, number, request
from tests.unit.heart_log.rows import NOW

FEATURES = (
    number("age", minimum=0, maximum=120),
    category("cp", "typical", "none"),
    category("sex", 0, 1),
    Feature(name="exang", type="boolean"),
    number("chol", required=False),
)
PATIENT: dict[str, Any] = {"age": 54.1, "cp": "typical", "sex": 1, "exang": True, "chol": None}
SAME_PATIENT = "54.1,typical,1,1,,{target}"
HEADER = "age,cp,sex,exang,chol,num"
MARKER = "marker-4711"


class World:
    """A file of forty patients, and a log."""

    def __init__(self, folder: Path, targets: tuple[str, str] = ("0", "1")) -> None:
        self.url = f"sqlite:///{folder}/log.db"
        self.engine = open_database(self.url)
        with self.engine.begin() as connection:
            migrate(connection)
        rows = [f"{20 + n},none,{n % 2},0,{200 + n},{targets[n % 2]}" for n in range(40)]
        self.file = folder / "rows.csv"
        self.file.write_text("\n".join([HEADER, SAME_PATIENT.format(target=targets[1]), *rows, ""]))

    def labelled(self, request_id: str, outcome: str | float, redacted: tuple[str, ...] = (), **features: Any) -> None:
        values = {name: value for name, value in (PATIENT | features).items() if name not in redacted}
        row = {"request_id": request_id, "row_index": 0, "time": str(NOW.replace(tzinfo=None)), "features": values}
        batch = json.dumps([row | {"outputs": [0.5, 0.5], "label": None, "shadow": False}])
        with self.engine.begin() as connection:
            store_predictions(connection, Source("model", "3", "sha256:33", redacted), batch)
            store_outcomes(connection, "model", {Key(request_id, 0): outcome}, NOW)

    def load(self, wanted: TrainingRequest | None = None, url: str | None = None) -> Table:
        environ = {"HEARTOPS_ROW_KEY": "k", "HEARTOPS_DATABASE_URL": self.url if url is None else url}
        return load(wanted or ask(), environ, self.file)


def ask(target: Target = Target(name="num"), *, include: bool = True, **training: Any) -> TrainingRequest:  # noqa: B008
    dataset = Dataset(uri="https://data.example.org/rows.csv", include_feedback=include)
    return request(FEATURES, target, dataset, **training)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_prediction_with_an_outcome_is_a_row_like_the_same_row_of_the_file(world: World) -> None:
    world.labelled("a", "1")
    table = world.load()
    assert len(table) == 42
    assert table.keys[-1] == table.keys[0]
    assert table.duplicates == 1
    assert table.groups[-1] == table.groups[0]
    assert (table.x[-1][:4] == table.x[0][:4]).all()
    assert table.y[-1] == 1


def test_without_being_asked_nothing_is_added(world: World) -> None:
    world.labelled("a", "1")
    assert len(world.load(ask(include=False), url="")) == 41


def test_an_empty_log_changes_nothing(world: World) -> None:
    assert world.load().raw_sha256 == world.load(ask(include=False)).raw_sha256


def test_the_digest_covers_the_rows_and_not_their_order(tmp_path: Path) -> None:
    digests = []
    for order in (("a", "b"), ("b", "a"), ("a",)):
        (tmp_path / "-".join(order)).mkdir()
        world = World(tmp_path / "-".join(order))
        for request_id in order:
            world.labelled(request_id, "1", age={"a": 30, "b": 31}[request_id])
        digests.append(world.load().raw_sha256)
    assert digests[0] == digests[1]
    assert len({*digests, world.load(ask(include=False)).raw_sha256}) == 3


@pytest.mark.parametrize(
    ("target", "texts", "outcome", "expected"),
    [
        (Target(name="num"), ("0", "1"), "0", 0),
        (Target(name="num"), ("no", "yes"), "yes", 1),
        (Target(name="num", labels=("healthy", "ill")), ("0", "1"), "ill", 1),
        (Target(name="num", positive_above=2), ("2", "4"), "1", 1),
        (Target(name="num", positive_above=2), ("2", "4"), "0", 0),
        (Target(name="num", positive_above=0.5, labels=("healthy", "ill")), ("0", "1"), "healthy", 0),
    ],
)
def test_outcomes_are_the_targets_classes(
    tmp_path: Path, target: Target, texts: tuple[str, str], outcome: str, expected: int
) -> None:
    world = World(tmp_path, texts)
    world.labelled("a", outcome)
    assert world.load(ask(target)).y[-1] == expected


def test_a_regressions_outcomes_are_numbers(tmp_path: Path) -> None:
    world = World(tmp_path, ("1.5", "2.5"))
    world.labelled("a", 7.25)
    assert world.load(ask(task="regression")).y[-1] == 7.25


def test_rows_that_break_the_contract_of_today_are_said_to_be_the_logs(world: World) -> None:
    world.labelled("a", "1", age=130)
    world.labelled("b", "1", cp=MARKER)
    with pytest.raises(DataInvalid) as error:
        world.load()
    assert "includeFeedback" in error.value.message
    assert "age is above the maximum 120" in error.value.message
    assert "cp is none of typical, none" in error.value.message
    assert MARKER not in error.value.message


def test_redacted_features_cannot_be_learnt_from(world: World) -> None:
    world.labelled("a", "1", redacted=("age", "comment"))
    world.labelled("b", "1")
    with pytest.raises(DataInvalid, match=r"lack age in 1 of 2 rows: spec\.serving\.predictionLog\.redact"):
        world.load()


def test_what_was_redacted_and_is_no_feature_any_more_does_not_matter(world: World) -> None:
    world.labelled("a", "1", redacted=("comment",))
    assert len(world.load()) == 42


def test_outcomes_of_another_vocabulary_are_rejected(world: World) -> None:
    world.labelled("a", MARKER)
    with pytest.raises(DataInvalid, match="no class of num") as error:
        world.load()
    assert MARKER not in error.value.message


@pytest.mark.parametrize("url", ["", f"mysql://{MARKER}@db/log", f"postgresql://{MARKER}:x@127.0.0.1:1/log"])
def test_a_log_that_cannot_be_read_may_pass(world: World, url: str) -> None:
    with pytest.raises(SourceError) as error:
        world.load(url=url)
    assert error.value.reason == "DatasetUnreachable"
    assert not error.value.permanent
    assert MARKER not in error.value.message
