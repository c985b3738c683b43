"""examples/ci: the script that the pipelines share, run as they run it, and pipelines that name its steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from heart_api.kube.kinds import HEART_MODEL
from heart_api.names import Annotation
from tests.api.conftest import Kubectl
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api

FOLDER = Path(__file__).resolve().parents[2] / "examples/ci"
SCRIPT = FOLDER / "deliver.sh"
PIPELINES = ("github-actions.yml", "gitlab-ci.yml", "Jenkinsfile")


def deliver(
    world: World, kubectl: Kubectl, folder: Path, step: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The HeartModel as it is stored is the repository's file."""
    file = folder / "heartmodel.yaml"
    if not file.exists():
        stored = world.model()
        meta = {"name": stored["metadata"]["name"]}
        file.write_text(yaml.safe_dump({**{k: stored[k] for k in ("apiVersion", "kind", "spec")}, "metadata": meta}))
    path = os.pathsep.join((str(Path(sys.executable).parent), str(kubectl.binary.parent), os.environ["PATH"]))
    names = {"NAME": "heart", "STAGING": world.namespace, "PRODUCTION": world.namespace, "MODEL_FILE": str(file)}
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(kubectl.kubeconfig), "TIMEOUT": "60s"}
    return subprocess.run(
        ["sh", str(SCRIPT), step],
        env={**environment, **names, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_version_is_delivered_and_rolled_back(world: World, kubectl: Kubectl, tmp_path: Path) -> None:
    with world.start():
        world.create(rollout={"steps": []})
        for step in ("lint", "validate", "data", "train"):
            done = deliver(world, kubectl, tmp_path, step)
            assert done.returncode == 0, done.stderr
        assert "version 1 was trained" in done.stdout
        world.wait_serving("1")
        again = {"metadata": {"annotations": {Annotation.RETRAIN: "again"}}}
        world.api.patch(HEART_MODEL, world.namespace, "heart", again)
        world.wait_serving("2")
        release = tmp_path / "release.txt"
        release.write_text("2\n")
        done = deliver(world, kubectl, tmp_path, "production", RELEASE=str(release))
        assert done.returncode == 0, done.stderr
        assert "version 2 serves" in done.stdout
        assert world.model()["spec"]["version"] == 2
        done = deliver(world, kubectl, tmp_path, "rollback")
        assert done.returncode == 0, done.stderr
        assert "version 1 serves" in done.stdout


def test_an_invalid_spec_fails_before_anything_is_stored(world: World, kubectl: Kubectl, tmp_path: Path) -> None:
    world.create()
    deliver(world, kubectl, tmp_path, "validate")
    file = tmp_path / "heartmodel.yaml"
    file.write_text(re.sub(r"positiveAbove: 0", "positiveAbove: none", file.read_text()))
    done = deliver(world, kubectl, tmp_path, "validate")
    assert done.returncode == 1
    assert "spec.target.positiveAbove" in done.stderr


def test_without_an_operator_it_times_out(world: World, kubectl: Kubectl, tmp_path: Path) -> None:
    world.create()
    done = deliver(world, kubectl, tmp_path, "staging", TIMEOUT="2s")
    assert done.returncode == 3
    assert "timed out" in done.stderr


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_runs_steps_of_the_script(name: str) -> None:
    text = (FOLDER / name).read_text()
    labels = re.findall(r"^([\w |]+)\) ?(?:#.*)?$", SCRIPT.read_text(), re.MULTILINE)
    steps = [step for label in labels for step in label.split(" | ")]
    used = re.findall(r"deliver\.sh (\w+)", text)
    assert set(used) <= set(steps)
    assert {"validate", "staging", "production"} <= set(used)
    if name.endswith(".yml"):
        assert yaml.safe_load(text)
