"""What Artifact Hub shows of the chart says the same as the chart: images, kinds, examples."""

from pathlib import Path

import pytest
import yaml

from heart_api.federationsite import FederationSiteSpec
from heart_api.heartmodel import HeartModelSpec
from heart_api.retrainschedule import RetrainScheduleSpec

ROOT = Path(__file__).resolve().parents[3]
CHART = yaml.safe_load((ROOT / "charts/heartops/Chart.yaml").read_text())
NOTES = {name.removeprefix("artifacthub.io/"): value for name, value in CHART["annotations"].items()}


def listed(name: str) -> list[dict]:
    return yaml.safe_load(NOTES[name])


def test_annotations_are_strings_and_known() -> None:
    assert all(isinstance(value, str) for value in CHART["annotations"].values())
    assert NOTES["license"] == "Apache-2.0"
    assert NOTES["category"] == "ai-machine-learning"
    assert NOTES["operatorCapabilities"] in (
        "Basic Install",
        "Seamless Upgrades",
        "Full Lifecycle",
        "Deep Insights",
        "Auto Pilot",
    )


def test_images_are_those_of_the_values() -> None:
    values = yaml.safe_load((ROOT / "charts/heartops/values.yaml").read_text())
    assert {each["name"]: each["image"] for each in listed("images")} == values["images"]


def test_kinds_are_those_of_the_crds() -> None:
    crds = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    wanted = {
        (crd["metadata"]["name"], crd["spec"]["names"]["kind"], crd["spec"]["versions"][0]["name"]) for crd in crds
    }
    assert {(each["name"], each["kind"], each["version"]) for each in listed("crds")} == wanted
    assert all(each["displayName"] and each["description"] for each in listed("crds"))


def test_examples_are_valid() -> None:
    specs = {
        "FederationSite": FederationSiteSpec,
        "HeartModel": HeartModelSpec,
        "RetrainSchedule": RetrainScheduleSpec,
    }
    examples = listed("crdsExamples")
    assert {each["kind"] for each in examples} == set(specs)
    for each in examples:
        specs[each["kind"]].model_validate(each["spec"])


@pytest.mark.parametrize("change", listed("changes"), ids=lambda change: change["description"][:30])
def test_changes_have_a_kind_of_keep_a_changelog(change: dict) -> None:
    assert change["kind"] in ("added", "changed", "deprecated", "removed", "fixed", "security")
    assert change["description"]
