"""Every published HeartModel, unchanged, trains a version that passes its own gates."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_api.evaluation import Evaluation
from heart_api.handover import Env, TrainingRequest
from heart_api.heartmodel import HeartModelSpec
from heart_log.database import open_database
from heart_log.migrate import migrate
from heart_operator.plan.gates.verdict import judge
from heart_trainer.data.load import load
from heart_trainer.evaluation.evaluate import measure
from heart_trainer.evaluation.findings import training_findings
from heart_trainer.fit.nested_cv import fit
from heart_trainer.job import build_evaluation
from tests.support.real_data import CALIFORNIA, CLEVELAND, real_file

ROOT = Path(__file__).resolve().parents[3]
FILES = {
    "processed.cleveland.data": CLEVELAND,
    "cal_housing.data": CALIFORNIA,
}


def published() -> dict[str, dict[str, Any]]:
    """The manifests under examples/ with a dataset of their own, and README's smallest one."""
    read = {path.parent.name: yaml.safe_load(path.read_text()) for path in ROOT.glob("examples/*/heartmodel.yaml")}
    found = {name: manifest for name, manifest in read.items() if "dataset" in manifest["spec"]}
    fences = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    documents = [yaml.safe_load(text) for text in fences]
    smallest = next(document for document in documents if document.get("kind") == "HeartModel")
    return found | {"README": smallest}


SLOW = {"heart-disease", "housing"}


def file_of(manifest: dict[str, Any]) -> str | None:
    """The real data file of a manifest; None for a built-in dataset."""
    return FILES.get(manifest["spec"]["dataset"]["uri"].rsplit("/", 1)[-1])


def marks(name: str, manifest: dict[str, Any]) -> list[pytest.MarkDecorator]:
    slow = [pytest.mark.slow] if name in SLOW else []
    return [*slow, pytest.mark.real_data] if file_of(manifest) else slow


NAMES = [pytest.param(name, marks=marks(name, manifest)) for name, manifest in sorted(published().items())]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.timeout(900)
def test_a_published_model_passes_its_own_gates(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    spec = HeartModelSpec.model_validate(published()[name]["spec"])
    known = file_of(published()[name])
    request = TrainingRequest(
        namespace="clinic",
        name="model",
        registry_name="clinic.model",
        trigger="test",
        dataset=spec.dataset,
        target=spec.target,
        features=spec.features,
        training=spec.training,
    )
    report = judge(spec.gates, trained(request, real_file(known) if known else None, empty_log(tmp_path)), None)
    assert report.passed, report.message


def empty_log(folder: Path) -> str:
    """The URL of a prediction log without rows, as a new namespace has it."""
    url = f"sqlite:///{folder}/log.db"
    with open_database(url).begin() as connection:
        migrate(connection)
    return url


def trained(request: TrainingRequest, data: Path | None, log: str) -> Evaluation:
    """What a training Job measures, without a registry."""
    table = load(request, {Env.ROW_KEY: "test", Env.DATABASE_URL: log}, data)
    fitted = fit(table, request, lambda _: None)
    measured = measure(table, request.features, fitted.oof, request.training.seed)
    findings = training_findings(table, request.features, request.target, measured.metrics, fitted)
    return build_evaluation(table, fitted.algorithm, measured, findings, (None, ()), "sha256:" + "0" * 64)
