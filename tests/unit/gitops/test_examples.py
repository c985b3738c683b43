"""examples/gitops: resources that the types accept, in an order in which each finds what it needs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_api.heartmodel import HeartModelSpec
from heart_api.retrainschedule import RetrainScheduleSpec

FOLDER = Path(__file__).resolve().parents[3] / "examples/gitops"
WAVE = "argocd.argoproj.io/sync-wave"
Resource = dict[str, Any]


def resources(file: str) -> list[Resource]:
    return list(yaml.safe_load_all((FOLDER / file).read_text()))


def named(found: list[Resource], kind: str, name: str) -> Resource:
    (one,) = [each for each in found if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return one


def wave(resource: Resource) -> int:
    return int(resource["metadata"]["annotations"][WAVE])


def test_the_models_are_what_the_types_accept_and_their_schedules_come_after_them() -> None:
    model, schedule = resources("argocd/models.yaml")
    HeartModelSpec.model_validate(model["spec"])
    spec = RetrainScheduleSpec.model_validate(schedule["spec"])
    assert (spec.model_name, schedule["metadata"]["namespace"]) == tuple(
        model["metadata"][k] for k in ("name", "namespace")
    )
    assert wave(model) < wave(schedule)


def test_argo_cd_installs_before_it_syncs_models() -> None:
    found = resources("argocd/application.yaml")
    installation, models = named(found, "Application", "heartops"), named(found, "Application", "clinic-models")
    assert wave(installation) < wave(models)
    assert "ServerSideApply=true" in installation["spec"]["syncPolicy"]["syncOptions"], "the CRDs are large"
    checks = yaml.safe_load((FOLDER / "argocd/argocd-cm.yaml").read_text())["data"]
    assert "resource.customizations.health.argoproj.io_Application" in checks, "or no wave of Applications waits"


def test_flux_installs_before_it_applies_models() -> None:
    found = resources("flux/kustomizations.yaml")
    installation, models = named(found, "Kustomization", "heartops"), named(found, "Kustomization", "models")
    assert models["spec"]["dependsOn"] == [{"name": "heartops"}]
    assert all(each["spec"]["wait"] for each in (installation, models))
    sources = {(each["kind"], each["metadata"]["name"]) for each in (*found, *resources("flux/release.yaml"))}
    for each in (installation, models, named(resources("flux/release.yaml"), "HelmRelease", "heartops")):
        spec = each["spec"]["chart"]["spec"] if each["kind"] == "HelmRelease" else each["spec"]
        assert (spec["sourceRef"]["kind"], spec["sourceRef"]["name"]) in sources


@pytest.mark.parametrize("file", ["argocd/application.yaml", "flux/release.yaml"])
def test_what_is_installed_is_the_chart_with_values_that_it_has(file: str) -> None:
    root = FOLDER.parents[1]
    values = yaml.safe_load((root / "charts/heartops/values.yaml").read_text())
    text = (FOLDER / file).read_text()
    assert "charts/heartops" in text
    assert set(values["monitoring"]) >= {"labels"}
    assert "monitoring: {labels: {release: kube-prometheus-stack}}" in text
