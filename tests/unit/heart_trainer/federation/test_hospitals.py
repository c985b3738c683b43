"""Four hospitals in the shape of the UCI Heart Disease files: other sizes, other patients, one lacks a column."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from heart_api.contract import Dataset, Feature
from heart_api.federation import contract_sha256
from heart_trainer.data.sources.cohort import heart_cohort
from heart_trainer.federation.federate import Federation, run_study
from heart_trainer.federation.holder import Holder
from heart_trainer.federation.holding import hold
from heart_trainer.job_federation import _measure, _missing, _sites, study_of
from heart_trainer.sums.driver import Trained
from tests.support.trainer.federation import FEATURES, SECRET, TARGET, FakeFleet, site_request, together

HOSPITALS = {"cleveland": (303, 0.0), "hungarian": (294, -0.5), "switzerland": (123, 0.7), "long-beach": (200, 0.5)}
"""Rows, and by how many standard deviations the patients are older and sicker."""
WITHOUT = "hungarian"


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> tuple[Federation, FakeFleet]:
    folder = tmp_path_factory.mktemp("hospitals")
    sites = [site_request(name, dataset=Dataset(uri="https://example.org/rows.csv")) for name in HOSPITALS]
    federation, fleet = together([site_request(name) for name in HOSPITALS])
    for number, (site, (rows, shift)) in enumerate(zip(sites, HOSPITALS.values(), strict=True), 1):
        frame = heart_cohort(rows, number, shift)
        path = folder / f"{site.name}.csv"
        frame.drop(columns=["ca"] if site.name == WITHOUT else []).to_csv(path, index=False)
        fleet.nodes[number].holder = Holder(site, hold(site, SECRET, path))
    return federation, fleet


@pytest.fixture(scope="module")
def trained(hospitals: tuple[Federation, FakeFleet]) -> tuple[Trained, dict[str, object]]:
    federation, _ = hospitals
    federation.join()
    found, answers = run_study(study_of(federation.request, federation), federation)
    return found, dict(answers)


def test_the_hospital_without_a_column_takes_part_and_is_named(
    hospitals: tuple[Federation, FakeFleet], trained: tuple[Trained, dict[str, object]]
) -> None:
    federation, _ = hospitals
    (finding,) = _missing(federation)
    assert finding.verdict == "InsufficientEvidence"
    assert "hungarian/hungarian holds no value of ca, which was imputed" in finding.message
    assert {row.name: row.without for row in _sites(federation).rows}["hungarian/hungarian"] == ("ca",)
    description = trained[0].description
    assert description.rows() == sum(rows for rows, _ in HOSPITALS.values())
    assert description.present(5) <= description.rows() - HOSPITALS[WITHOUT][0]


def test_each_hospital_has_figures_and_hospitals_are_compared(
    hospitals: tuple[Federation, FakeFleet], trained: tuple[Trained, dict[str, object]]
) -> None:
    federation, _ = hospitals
    measured = _measure(trained[0], trained[1], federation)  # type: ignore[arg-type]
    groups = {one.group: one.metrics for one in measured.slices if one.feature == "site"}
    assert set(groups) == set(HOSPITALS)
    assert all(metrics["roc_auc"].estimate > 0.7 for metrics in groups.values())
    (gap,) = [gap for gap in measured.gaps if gap.feature == "site" and gap.metric == "accuracy"]
    assert 0 < gap.gap.estimate < 0.5


def test_the_model_is_better_for_a_small_hospital_than_what_it_could_learn_alone(
    hospitals: tuple[Federation, FakeFleet], trained: tuple[Trained, dict[str, object]]
) -> None:
    """On patients of its own that no model has seen."""
    alone, _ = together([site_request("switzerland", *(123, 3, 0.7))], min_sites=1)
    alone.join()
    small, _ = run_study(study_of(alone.request, alone), alone)
    frame = heart_cohort(4000, 99, 0.7)
    x = frame[[feature.name for feature in FEATURES]].to_numpy(np.float32)
    x[:, 2] -= 1  # cp as the contract encodes it
    y = frame["num"] > 0
    together_, own = (roc_auc_score(y, one.final.answers.answers(x)) for one in (trained[0], small))
    assert together_ > own - 0.005


def test_a_required_column_that_is_missing_keeps_a_hospital_out(tmp_path: Path) -> None:
    features = (*FEATURES[:-1], Feature(name="ca", type="number"))
    digest = contract_sha256("classification", TARGET, features)
    site = site_request("hungarian", dataset=Dataset(uri="https://example.org/rows.csv"))
    site = site.model_copy(update={"features": features, "contract_sha256": digest})
    path = tmp_path / "rows.csv"
    heart_cohort(200, 1).drop(columns=["ca"]).to_csv(path, index=False)
    with pytest.raises(Exception, match="no column called ca"):
        hold(site, SECRET, path)
