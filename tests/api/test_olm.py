"""The OLM bundle is what the chart renders, and the checks of `operator-sdk bundle validate` accept it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from hack.cluster.paths import extras_dir
from hack.olm import FOLDER, ROOT, build

pytestmark = pytest.mark.api

CSV = "manifests/heartops.clusterserviceversion.yaml"


@pytest.fixture(scope="module")
def validator() -> Path:
    binary = extras_dir() / "bin" / "bundle"
    assert binary.exists(), "the validator is not built yet: run `python3 -m hack.cluster build --extras`"
    return binary


def validate(validator: Path, bundle: Path) -> tuple[int, str]:
    done = subprocess.run([str(validator), str(bundle)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_is_written_is_what_the_chart_renders() -> None:
    there = {str(path.relative_to(FOLDER)): path.read_text() for path in (FOLDER / "bundle").rglob("*.yaml")}
    there["bundle.Dockerfile"] = (FOLDER / "bundle.Dockerfile").read_text()
    assert there == build(), "run `python -m hack.olm`"


def test_operator_sdks_checks_accept_it(validator: Path) -> None:
    code, said = validate(validator, FOLDER / "bundle")
    assert code == 0, said
    # They look at names of resources alone: autoscaling/v1 and policy/v1 have those of removed versions, too.
    assert [
        line for line in said.splitlines() if "deprecated and removed" not in line and "compressed size" not in line
    ] == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("spec", "version"), "one", "version"),
        (("metadata", "annotations", "capabilities"), "Splendid", "capabilities"),
        (("spec", "customresourcedefinitions", "owned"), [], "CRD"),
    ],
)
def test_what_is_wrong_is_found(
    validator: Path, tmp_path: Path, path: tuple[str, ...], value: object, words: str
) -> None:
    shutil.copytree(FOLDER / "bundle", tmp_path / "bundle")
    csv = yaml.safe_load((tmp_path / "bundle" / CSV).read_text())
    place = csv
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    (tmp_path / "bundle" / CSV).write_text(yaml.safe_dump(csv))
    code, said = validate(validator, tmp_path / "bundle")
    assert code == 1, said
    assert words in said


def test_the_operator_has_the_rights_and_the_pod_that_the_chart_gives_it() -> None:
    rendered = list(yaml.safe_load_all((ROOT / "kustomize/base/operator.yaml").read_text()))
    spec = yaml.safe_load((FOLDER / "bundle" / CSV).read_text())["spec"]["install"]["spec"]
    (deployment,) = spec["deployments"]
    assert deployment["spec"] == next(each["spec"] for each in rendered if each and each["kind"] == "Deployment")
    granted = [json.dumps(rule) for part in ("clusterPermissions", "permissions") for rule in spec[part][0]["rules"]]
    of_roles = {each["metadata"]["name"]: each["rules"] for each in rendered if each and "rules" in each}
    wanted = [*of_roles["heartops"], *of_roles["heartops-metrics-auth"], *of_roles["heartops-leader"]]
    assert sorted(granted) == sorted(map(json.dumps, wanted))


def test_every_kind_is_shown_with_an_example() -> None:
    csv = yaml.safe_load((FOLDER / "bundle" / CSV).read_text())
    owned = {each["kind"] for each in csv["spec"]["customresourcedefinitions"]["owned"]}
    assert {each["kind"] for each in json.loads(csv["metadata"]["annotations"]["alm-examples"])} == owned
