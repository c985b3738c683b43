"""A federated training in one process, from the request to the registered version."""

import json
from contextlib import chdir, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import onnx
import pytest
from mlflow import MlflowClient

from heart_api.contract import Target
from heart_api.evaluation import CARD_PATH, EVALUATION_PATH, Evaluation, ServingReference
from heart_api.federation import contract_sha256
from heart_api.handover import Env, Tag
from heart_api.package import PACKAGE_KEY, ServingPackage
from heart_trainer.federation.federate import Federation, SitesFailed
from heart_trainer.federation.messages import read_ask
from heart_trainer.job import Job, JobResult
from heart_trainer.job_federation import run_federated
from tests.support.trainer.federation import FEATURES, NAMES, SECRET, three_sites, together, training


def train(federation: Federation, tracking_uri: str, out: Path, **more: Any) -> JobResult:
    request = federation.request.model_copy(update=more)
    federation.request = request
    job = Job(request, {Env.ROW_KEY: SECRET}, tracking_uri, date(2026, 11, 30), lambda step: None, out=out)

    @contextmanager
    def opened() -> Any:
        yield federation

    return run_federated(job, opened)


@pytest.fixture(scope="module")
def trained(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[JobResult, Path, str]:
    """(result, folder with what it left, MLflow); files of MLflow go below the working directory."""
    folder = tmp_path_factory.mktemp("federated")
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    federation, _ = together(three_sites())
    with chdir(folder):
        result = train(federation, f"sqlite:///{folder}/mlflow.db", folder / "out")
    return result, folder / "out", f"sqlite:///{folder}/mlflow.db"


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
    version = MlflowClient(uri, registry_uri=uri).get_model_version("clinic.heart", result.result.version)
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
    trained: tuple[JobResult, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, out, uri = trained
    monkeypatch.chdir(out.parent)
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


def numbers(trigger: str) -> Federation:
    """Three sites that predict a number."""
    features = tuple(feature for feature in FEATURES if feature.name != "thalach")
    target, settings = Target(name="thalach", unit="1/min"), training(task="regression")
    digest = contract_sha256("regression", target, features)
    changed = {
        "features": features,
        "target": target,
        "task": "regression",
        "contract_sha256": digest,
        "trigger": trigger,
    }
    sites = [site.model_copy(update=changed) for site in three_sites()]
    return together(sites, features=features, target=target, training=settings, trigger=trigger)[0]


def test_a_number_is_predicted_from_sums_and_the_next_version_compared(tracking_uri: str, tmp_path: Path) -> None:
    found = train(numbers("t-1"), tracking_uri, tmp_path / "out")
    assert found.evaluation is not None
    assert (found.evaluation.algorithm, found.evaluation.rows) == ("ridge", 850)
    assert found.evaluation.metrics["r2"].estimate > 0.1
    assert {one.group for one in found.evaluation.slices if one.feature == "site"} == set(NAMES)
    serving = ServingReference(version=found.result.version, digest=found.result.artifact_sha256)
    again = train(numbers("t-2"), tracking_uri, tmp_path / "again", serving=serving)
    assert again.evaluation is not None
    assert again.evaluation.comparison is not None
    difference = again.evaluation.comparison.metrics["rmse"]
    assert (difference.difference, difference.n) == (0, 850)
    assert difference.candidate == pytest.approx(found.evaluation.metrics["rmse"].estimate, rel=1e-6)


def test_a_hold_out_is_judged_where_it_is_asked_for(tracking_uri: str, tmp_path: Path) -> None:
    federation, _ = together(three_sites(), training=training(holdout=0.3))
    found = train(federation, tracking_uri, tmp_path / "out")
    assert found.evaluation is not None
    assert 150 < found.evaluation.metrics["roc_auc"].n < 350


def test_nothing_is_registered_when_a_site_is_lost(tracking_uri: str, tmp_path: Path) -> None:
    federation, fleet = together(three_sites())
    fleet.nodes[2].behave = lambda answer, count: answer if count < 6 else None
    with pytest.raises(SitesFailed, match="hospital-02"):
        train(federation, tracking_uri, tmp_path / "out")
    assert MlflowClient(tracking_uri, registry_uri=tracking_uri).search_model_versions("name='clinic.heart'") == []
    assert not (tmp_path / "out").exists()
    assert not any(read_ask(body)[0].kind == "end" for _, body in fleet.sent)  # the Job tries again: sites wait for it


def test_a_permanent_failure_sends_the_sites_home(tracking_uri: str, tmp_path: Path) -> None:
    sites = three_sites()
    sites[1] = sites[1].model_copy(update={"contract_sha256": f"sha256:{'2' * 64}"})
    federation, fleet = together(sites)
    with pytest.raises(SitesFailed, match="another contract"):
        train(federation, tracking_uri, tmp_path / "out")
    assert fleet.nodes[1].holder.ended
    assert fleet.nodes[3].holder.ended
