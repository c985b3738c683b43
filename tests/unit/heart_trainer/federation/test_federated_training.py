"""A federated training in one process, from the request to the registered version."""

import json
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import onnx
import pytest
from mlflow import MlflowClient

from heart_api.evaluation import CARD_PATH, EVALUATION_PATH, Evaluation, ServingReference
from heart_api.handover import Env, Tag
from heart_api.package import PACKAGE_KEY, ServingPackage
from heart_trainer.federation.federate import Federation
from heart_trainer.job import Job, JobResult
from heart_trainer.job_federation import run_federated
from tests.support.trainer.federation import SECRET, three_sites, together


def train(federation: Federation, tracking_uri: str, out: Path, **more: Any) -> JobResult:
    request = federation.request.model_copy(update=more)
    federation.request = request
    job = Job(request, {Env.ROW_KEY: SECRET}, tracking_uri, date(2026, 11, 30), lambda step: None, out=out)

    @contextmanager
    def opened() -> Any:
        yield federation

    return run_federated(job, opened)


@pytest.fixture
def trained(tracking_uri: str, tmp_path: Path) -> tuple[JobResult, Path, str]:
    federation, _ = together(three_sites())
    return train(federation, tracking_uri, tmp_path / "out"), tmp_path / "out", tracking_uri


def test_three_sites_give_a_sealed_version_with_figures_by_site(trained: tuple[JobResult, Path, str]) -> None:
    result, out, uri = trained
    evaluation = Evaluation.model_validate_json((out / EVALUATION_PATH).read_bytes())
    assert evaluation.rows == 850
    assert evaluation.metrics["roc_auc"].estimate > 0.8
    assert {one.group for one in evaluation.slices if one.feature == "site"} == {
        "hospital-01",
        "hospital-02",
        "hospital-03",
    }
    assert any(gap.feature == "site" for gap in evaluation.gaps)
    version = MlflowClient(uri).get_model_version("clinic.heart", result.result.version)
    assert version.tags[Tag.SEAL].startswith("training:")
    assert [site.state for site in result.result.sites or ()] == ["Completed"] * 3
    assert [site.rows for site in result.result.sites or ()] == [400, 150, 300]


def test_the_card_names_sites_and_what_sums_do_not_hide(trained: tuple[JobResult, Path, str]) -> None:
    card = (trained[1] / CARD_PATH).read_text()
    assert "hospital-01/hospital-01" in card
    assert "not differentially private" in card
    assert "federation of hospital-01/hospital-01" in card


def test_the_file_serves_like_any_other(trained: tuple[JobResult, Path, str]) -> None:
    model = onnx.load(trained[1] / "model.onnx")
    package = ServingPackage.model_validate_json({p.key: p.value for p in model.metadata_props}[PACKAGE_KEY])
    assert package.classes == ("no disease", "disease")
    assert package.explanation is not None
    assert package.explanation.method == "linear"
    assert set(package.example) == {"age", "sex", "cp", "thalach", "oldpeak", "ca"}


def test_the_next_version_is_compared_on_rows_that_neither_has_learnt(
    trained: tuple[JobResult, Path, str], tmp_path: Path
) -> None:
    first, _, uri = trained
    federation, _ = together(three_sites())
    serving = ServingReference(version=first.result.version, digest=first.result.artifact_sha256)
    found = train(federation, uri, tmp_path / "again", trigger="t-1", serving=serving)
    assert found.result.version == first.result.version  # of the same trigger: nothing is trained twice
    again = [site.model_copy(update={"trigger": "t-2"}) for site in three_sites()]
    federation, _ = together(again, trigger="t-2")
    second = train(federation, uri, tmp_path / "second", serving=serving)
    assert second.evaluation is not None
    assert second.evaluation.comparison is not None
    difference = second.evaluation.comparison.metrics["roc_auc"]
    assert abs(difference.difference) < 1e-9  # equal data and an equal spec
    assert difference.n <= 850
    assert json.loads((tmp_path / "second" / EVALUATION_PATH).read_text())["comparison"]["against"]["version"] == "1"
