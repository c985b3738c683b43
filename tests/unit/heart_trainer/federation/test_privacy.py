"""Everything that leaves a site, captured where it leaves: the declared statistics, no small cell, nobody's values."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heart_api.contract import Dataset
from heart_api.federation import contract_sha256
from heart_api.training import Tuning
from heart_trainer.data.sources.cohort import heart_cohort
from heart_trainer.federation.bundle import bundle_sha256
from heart_trainer.federation.federate import run_study
from heart_trainer.federation.holder import Holder
from heart_trainer.federation.holding import Holding, hold, shield
from heart_trainer.federation.messages import Ask, encode, read_ask, read_tell
from heart_trainer.job_federation import study_of
from heart_trainer.sums.additive import total
from heart_trainer.sums.calibration import CalibratedLinearModel
from heart_trainer.sums.describe import DescribeRequest, RangeRequest, axes_of
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.paired import PairedRequest
from heart_trainer.sums.requests import decode
from heart_trainer.sums.requests import encode as encode_request
from heart_trainer.sums.split import cross_validation
from tests.support.trainer.federation import (
    FEATURES,
    SECRET,
    TARGET,
    FakeFleet,
    site_request,
    three_sites,
    together,
    training,
)

MARKERS = {"age": 87.0, "thalach": 61.4375, "oldpeak": 6.171875}
"""Values that one row alone has: they can be told from anything else in a file of whole numbers."""
DECLARED = {
    "RangeRequest": {"coarse", "grids"},
    "DescribeRequest": {"rows", "present", "sum", "square", "histogram"},
    "NewtonRequest": {"rows", "loss", "gradient", "hessian"},
    "ScoreRequest": {"rows", "probability"},
    "EvaluationRequest": {"rows", "probability"},
    "PairedRequest": {"rows", "candidate", "serving"},
}
MINIMUM = 5


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Holding:
    """A site with one row like no other."""
    frame = heart_cohort(300, 11)[[*(feature.name for feature in FEATURES), "num"]].astype({"age": float})
    frame.loc[:, "age"] = frame["age"].clip(30, 80)
    for name, value in MARKERS.items():
        frame.loc[17, name] = value
    path = tmp_path_factory.mktemp("site") / "rows.csv"
    frame.to_csv(path, index=False)
    request = site_request("hospital-01", dataset=Dataset(uri="https://example.org/rows.csv"))
    return hold(request, SECRET, Path(path))


@pytest.fixture(scope="module")
def captured(marked: Holding) -> FakeFleet:
    """A whole training with search, calibration and comparison, in which the marked site takes part."""
    settings = training(tuning=Tuning(trials=6), calibration="auto")
    federation, fleet = together(three_sites(), training=settings)
    fleet.nodes[1].holder = Holder(fleet.nodes[1].holder.request, marked)
    federation.join()
    trained, _ = run_study(study_of(federation.request, federation), federation)
    models = trained.request.models
    assert all(hasattr(model, "answers") for model in models)
    asked = PairedRequest(trained.study.split, models, tuple(model_of(one) for one in models))
    total(asked.schema(), federation.sum(asked).values())
    federation.end()
    return fleet


def model_of(one: Any) -> Any:
    return one.model if isinstance(one, CalibratedLinearModel) else one


def conversation(fleet: FakeFleet, node: int) -> list[tuple[Ask, bytes, bytes]]:
    """(head, body of the question, whole answer) of everything that a site was asked."""
    asked = [body for number, body in fleet.sent if number == node]
    said = [body for number, body in fleet.left if number == node]
    assert len(asked) == len(said)
    return [(*read_ask(question), answer) for question, answer in zip(asked, said, strict=True)]


def arrays_of(answer: bytes) -> dict[str, Any]:
    _, body = read_tell(answer)
    return dict(np.load(io.BytesIO(body), allow_pickle=False)) if body else {}


@pytest.mark.parametrize("node", [1, 2, 3])
def test_what_leaves_is_what_is_declared_and_nothing_else(captured: FakeFleet, node: int) -> None:
    kinds = Counter()
    for ask, body, answer in conversation(captured, node):
        head = json.loads(answer.partition(b"\n")[0])
        kinds[ask.kind] += 1
        if ask.kind == "join":
            joined = {"rows", "task", "classes", "datasetDigest", "synthetic", "duplicates", "telling", "without"}
            assert set(head) == {"protocol", "joined"}
            assert set(head["joined"]) <= joined
        else:
            assert set(head) == {"protocol"}
        if ask.kind == "sums":
            request = decode(body)
            arrays = arrays_of(answer)
            assert set(arrays) == DECLARED[type(request).__name__]
            assert {name: value.shape for name, value in arrays.items()} == {f.name: f.shape for f in request.schema()}
    assert kinds["join"] == kinds["end"] == 1
    assert kinds["sums"] >= 10


def test_no_value_of_the_marked_row_is_in_anything_that_leaves(captured: FakeFleet) -> None:
    for _, _, answer in conversation(captured, 1):
        head = answer.partition(b"\n")[0]
        for value in MARKERS.values():
            assert f"{value:g}".encode() not in head or value == 87.0  # two digits may be anything's
            for array in arrays_of(answer).values():
                numbers = array.astype(np.float64).ravel()
                near = np.isclose(numbers, value, rtol=1e-9, atol=0)
                assert not near.any() or float(value).is_integer()


def test_no_histogram_has_a_place_for_the_marked_row_alone(captured: FakeFleet) -> None:
    """The bin that only the marked value is in is empty: its row was counted with its neighbours."""
    for _, body, answer in conversation(captured, 1):
        arrays = arrays_of(answer)
        if "histogram" not in arrays:
            continue
        request: Any = decode(body)
        for name, value in MARKERS.items():
            column = [feature.name for feature in FEATURES].index(name)
            place = int(request.axes[column].place(np.array([value], np.float32))[0])
            counts = arrays["histogram"][:, column].sum(axis=0)
            assert counts[place] == 0 or counts[place] >= MINIMUM


@pytest.mark.parametrize("node", [1, 2, 3])
def test_small_cells_are_in_no_answer(captured: FakeFleet, node: int) -> None:
    seen = 0
    for ask, body, answer in conversation(captured, node):
        if ask.kind != "sums":
            continue
        request, arrays = decode(body), arrays_of(answer)
        for cells in cells_of_answer(request, arrays):
            assert not ((cells > 0) & (cells < MINIMUM)).any(), type(request).__name__
            seen += int((cells > 0).sum())
    assert seen > 100


def cells_of_answer(request: Any, arrays: dict[str, Any]) -> list[Any]:
    """Counts of rows that share something: of a description, those of the whole site, of which its parts are dealt."""
    if isinstance(request, RangeRequest):
        return [arrays["coarse"], arrays["grids"]]
    if "histogram" in arrays:
        return [arrays["rows"], arrays["present"].sum(axis=0), arrays["histogram"].sum(axis=0)]
    return [arrays["rows"]]


def test_the_parts_of_a_description_say_no_more_than_the_whole(captured: FakeFleet) -> None:
    """Each part has the site's own mean: what is told of a part is only how many rows it has."""
    for _, _, answer in conversation(captured, 1):
        arrays = arrays_of(answer)
        if "histogram" in arrays:
            mean = arrays["sum"] / np.maximum(arrays["present"], 1)
            assert np.allclose(mean, mean[0], rtol=1e-9)


def test_the_folds_of_an_evaluation_are_one_table(captured: FakeFleet) -> None:
    for _, body, answer in conversation(captured, 1):
        request = decode(body) if body else None
        if isinstance(request, EvaluationRequest):
            rows = arrays_of(answer)["rows"]
            assert rows[0].sum() == 300
            assert rows[1 : len(request.models)].sum() == 0


def test_what_few_rows_share_is_missing_before_anything_is_summed() -> None:
    x = np.full((100, len(FEATURES)), 50.0, np.float32)
    x[:, 1:3] = 0
    x[:3, 2] = 3  # three rows alone have this category
    x[:2, 3] = np.nan  # two rows alone have no value
    x[:97, 5] = np.nan  # three rows alone have one
    found = shield(x, FEATURES, MINIMUM)
    assert np.isnan(found[:, 2]).sum() == 0  # and where so few are missing, they are filled
    assert set(found[:, 2].tolist()) == {0.0}
    assert not np.isnan(found[:, 3]).any()
    assert np.isnan(found[:, 5]).all()


def ask(request: Any, key: str = "k") -> bytes:
    digest = contract_sha256("classification", TARGET, FEATURES)
    head = Ask(kind="sums", model="clinic/heart", trigger="t-1", contract_sha256=digest, folds_key=key)
    return encode(head, encode_request(request))


def refusal_of(holder: Holder, request: Any, key: str = "k") -> str:
    tell, body = read_tell(holder.answer(ask(request, key), bundle_sha256()))
    assert bool(body) != bool(tell.refusal)
    return tell.refusal.message if tell.refusal else ""


def test_a_coordinator_that_asks_about_ever_new_parts_is_refused(marked: Holding) -> None:
    holder = Holder(site_request("hospital-01"), marked)
    ranges = RangeRequest(FEATURES)
    assert refusal_of(holder, ranges) == ""
    rows = holder._dealt("k", marked)
    axes = axes_of(ranges, ranges.collect(rows))
    assert refusal_of(holder, DescribeRequest(FEATURES, axes, cross_validation(3))) == ""
    assert "one split" in refusal_of(holder, DescribeRequest(FEATURES, axes, cross_validation(4)))


def test_a_coordinator_that_asks_about_some_rows_of_a_part_is_refused(captured: FakeFleet, marked: Holding) -> None:
    requests = [decode(body) for ask, body, _ in conversation(captured, 1) if ask.kind == "sums"]
    newton: Any = next(one for one in requests if type(one).__name__ == "NewtonRequest")
    narrow = replace(newton, learners=tuple(replace(one, bound=0.5) for one in newton.learners))
    holder = Holder(site_request("hospital-01"), marked)
    assert "about all rows of a part" in refusal_of(holder, narrow)


def test_the_key_that_deals_rows_is_the_first_one_for_good(marked: Holding) -> None:
    """Sums over ever new parts of the rows would single one out."""
    holder = Holder(site_request("hospital-01"), marked)
    first = holder._dealt("k", marked).draw
    assert np.array_equal(holder._dealt("another", marked).draw, first)


def test_a_digest_of_the_data_says_nothing_without_the_sites_key(marked: Holding) -> None:
    other = hold(site_request("hospital-01"), "another key")
    again = hold(site_request("hospital-01"), SECRET)
    assert other.joined.dataset_digest != again.joined.dataset_digest
    assert again.joined.dataset_digest == hold(site_request("hospital-01"), SECRET).joined.dataset_digest
