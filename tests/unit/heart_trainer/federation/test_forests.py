"""Forests of all sites' trees: chosen on inner folds, served as ONNX, and no tree shows a single row."""

from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.evaluation import EVALUATION_PATH, Evaluation
from heart_api.handover import Env
from heart_api.package import PACKAGE_KEY, ServingPackage
from heart_trainer.federation.families import TREES, choose_families
from heart_trainer.federation.federate import attempt
from heart_trainer.federation.messages import read_ask, read_tell
from heart_trainer.job import Job
from heart_trainer.job_federation import run_federated, study_of
from heart_trainer.sums.additive import StatisticRejected
from heart_trainer.sums.shared import share_values
from heart_trainer.sums.union import GrowRequest, from_bytes
from tests.support.trainer.federation import SECRET, FakeFleet, three_sites, together, training

COLUMNS = 10
"""Four numbers, and a column for each value of two categories."""


@pytest.fixture(scope="module")
def grown() -> tuple[Any, FakeFleet]:
    settings = training(algorithms=("logistic-regression", "random-forest"))
    federation, fleet = together(three_sites(), training=settings)
    federation.join()
    studied = attempt(study_of(federation.request, federation), federation)
    learned, _ = choose_families(studied, federation, only_forest=True)
    return learned, fleet


def test_the_union_has_trees_of_every_site_in_proportion(grown: tuple[Any, FakeFleet]) -> None:
    learned, fleet = grown
    counts = {node: len(forests[-1].sizes) for node, forests in trees(fleet).items()}
    assert sum(counts.values()) == pytest.approx(TREES, abs=2)
    assert counts[1] > counts[3] > counts[2] > 0
    assert {choice.algorithm for choice in learned.choices} == {"random-forest"}
    assert learned.measurement().metrics["roc_auc"].estimate > 0.75


def trees(fleet: FakeFleet) -> dict[int, Any]:
    """Forests by node, as they left."""
    found = {}
    for (node, question), (_, answer) in zip(fleet.sent, fleet.left, strict=True):
        ask, body = read_ask(question)
        if ask.kind == "trees":
            sets = len(GrowRequest.read(body).sets)
            found[node] = from_bytes(read_tell(answer)[1], COLUMNS, sets)
    return found


def test_no_leaf_is_of_fewer_rows_than_the_minimum_cell(grown: tuple[Any, FakeFleet]) -> None:
    for forests in trees(grown[1]).values():
        for forest in forests:
            assert forest.rows.min() >= 5


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=5, max_size=80), st.integers(2, 9))
def test_a_shared_value_is_that_of_many(values: list[float], minimum: int) -> None:
    column = np.array(values, np.float64)
    found = share_values(column, minimum)
    _, counts = np.unique(found, return_counts=True)
    assert len(column) < minimum or counts.min() >= minimum
    assert np.isclose(found.sum(), column.sum(), atol=1e-6 * max(1.0, np.abs(column).sum()))
    order = np.argsort(column, kind="stable")
    assert (np.diff(found[order]) >= -1e-9).all()


def test_the_linear_model_stays_where_the_forest_is_not_clearly_better() -> None:
    """The cohort is made by a linear risk: a forest cannot beat it."""
    settings = training(algorithms=("logistic-regression", "random-forest"))
    federation, _ = together(three_sites(), training=settings)
    federation.join()
    studied = attempt(study_of(federation.request, federation), federation)
    learned, answers = choose_families(studied, federation, only_forest=False)
    assert learned.choices[-1].algorithm == "logistic-regression"
    assert set(answers) == {"hospital-01/hospital-01", "hospital-02/hospital-02", "hospital-03/hospital-03"}


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"x" * 1000])
def test_what_is_no_tree_is_rejected(data: bytes) -> None:
    with pytest.raises(StatisticRejected):
        from_bytes(data, 4, 1)


def test_a_forest_becomes_a_registered_version(tracking_uri: str, tmp_path: Path) -> None:
    federation, _ = together(three_sites(), training=training(algorithms=("random-forest",)))
    job = Job(
        federation.request, {Env.ROW_KEY: SECRET}, tracking_uri, date(2026, 11, 30), lambda s: None, out=tmp_path / "o"
    )

    @contextmanager
    def opened() -> Any:
        yield federation

    run_federated(job, opened)
    assert Evaluation.model_validate_json((tmp_path / "o" / EVALUATION_PATH).read_bytes()).algorithm == "random-forest"
    model = onnx.load(tmp_path / "o" / "model.onnx")
    package = ServingPackage.model_validate_json({p.key: p.value for p in model.metadata_props}[PACKAGE_KEY])
    assert package.explanation is not None
    assert package.explanation.method == "tree"
