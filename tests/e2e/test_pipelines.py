"""examples/ci on a real node: the pipelines deliver, stop and roll back with the real `kubectl heart`.

Staging and production are two namespaces, each with a workspace of its own in MLflow; each pipeline has the tokens of
the two accounts of examples/ci/rights.yaml and nothing more.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from heart_cli.registryrights import BINDING
from tests.e2e.kit import RESTRICTED, ROOT, SYSTEM, Model, apply, example, get, kubectl, run_kubectl
from tests.support.pipelines import CI, Repository, github, gitlab, jenkins
from tests.support.soak import SOAK

pytestmark = [pytest.mark.timeout(2400), pytest.mark.skipif(not SOAK, reason="in make test-soak")]

NAME = "heart-disease"
QUICK = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}


@dataclass(frozen=True)
class Clinic:
    """A staging and a production namespace; `kubeconfigs` are those of the pipeline's accounts."""

    staging: Model
    production: Model
    kubeconfigs: dict[str, str]

    def here(self, text: str) -> str:
        """An example's file, with these namespaces in place of its own."""
        return text.replace("clinic-staging", self.staging.namespace).replace("clinic", self.production.namespace)


@contextmanager
def prepared() -> Iterator[Clinic]:
    """As an administrator prepares two namespaces for a team and its pipeline."""
    name = f"e2e-{uuid.uuid4().hex[:6]}"
    clinic = Clinic(Model(f"{name}-staging", NAME), Model(name, NAME), {})
    namespaces = {"staging": clinic.staging.namespace, "production": clinic.production.namespace}
    try:
        for each in namespaces.values():
            apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each, "labels": RESTRICTED}})
            command = (sys.executable, "-m", "heart_cli", "init-namespace", each, "--system-namespace", SYSTEM)
            subprocess.run(command, cwd=ROOT, check=True)
            assert get("rolebinding", BINDING, "-n", each), "MLflow has workspaces of their own"
        rights = clinic.here((CI / "rights.yaml").read_text())
        apply(*(own_names(each, name) for each in yaml.safe_load_all(rights)))
        clinic.kubeconfigs.update({role: kubeconfig_of(each) for role, each in namespaces.items()})
        yield clinic
    finally:
        run_kubectl("delete", "role,rolebinding", f"{name}-release", "-n", SYSTEM, "--ignore-not-found")
        for each in namespaces.values():
            run_kubectl("delete", "heartmodels", "--all", "-n", each)
            run_kubectl("delete", "namespace", each, "--wait=false")


def own_names(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    """What stands in the namespace of HeartOps has a name of this test's."""
    if manifest["metadata"]["namespace"] == SYSTEM:
        manifest["metadata"]["name"] = f"{name}-release"
        if "roleRef" in manifest:
            manifest["roleRef"]["name"] = f"{name}-release"
    return manifest


def kubeconfig_of(namespace: str) -> str:
    """Of the pipeline's account in the namespace, in one line."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    token = kubectl("create", "token", "pipeline", "-n", namespace, "--duration=2h").strip()
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    return json.dumps(config)


@pytest.fixture(scope="module")
def clinic(product: None) -> Iterator[Clinic]:
    with prepared() as found:
        yield found


def model_file(**spec: Any) -> str:
    """The example, on the cohort that needs no download."""
    manifest = example(NAME, "none")
    del manifest["metadata"]["namespace"]
    manifest["spec"]["dataset"] = {"uri": "builtin://heart-synthetic"}
    manifest["spec"] |= {"training": QUICK, "serving": {"replicas": 1}, "monitoring": {}}
    manifest["spec"] |= {"gates": {"checks": [{"metric": "roc_auc", "min": 0.6}]}, **spec}
    return yaml.safe_dump(manifest)


def repository_of(clinic: Clinic, folder: Path) -> Repository:
    script = clinic.here((CI / "deliver.sh").read_text())
    return Repository(folder / "model", clinic.kubeconfigs, model=model_file(), script=script)


def heart(clinic: Clinic, role: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """`kubectl heart` with the rights of an environment's pipeline."""
    file = folder / f"kubeconfig-{role}"
    file.write_text(clinic.kubeconfigs[role])
    return run_kubectl("heart", *words, f"--kubeconfig={file}")


def test_three_pipelines_deliver_and_roll_back(clinic: Clinic, tmp_path: Path) -> None:
    """GitHub's trains the first version, GitLab's brings a second one, Jenkins' goes back to the first."""
    repository = repository_of(clinic, tmp_path)
    delivered = github(repository, "push")
    assert delivered.returncode == 0, delivered.stdout + delivered.stderr
    first = clinic.production.wait_serving("1", 30)
    assert first["digest"] == clinic.staging.status["serving"]["digest"], "the bytes that served in staging"
    assert clinic.production.status.get("training") is None, "nothing is trained where a number is named"

    repository.write("heartmodel.yaml", model_file(training={**QUICK, "seed": 7}))
    staged = gitlab(repository, "--manual", "production")
    assert staged.returncode == 0, staged.stdout + staged.stderr
    staged_digest = clinic.staging.wait_serving("2", 30)["digest"]
    assert clinic.production.status["serving"]["digest"] == staged_digest, "whatever its number is there"
    assert staged_digest != first["digest"]

    back = jenkins(repository, rollback=True)
    assert back.returncode == 0, back.stdout + back.stderr
    assert clinic.production.wait_serving("1", 30)["digest"] == first["digest"]
    check_commands(clinic, tmp_path, first["digest"])


def check_commands(clinic: Clinic, folder: Path, digest: str) -> None:
    """What scripts rely on: exit codes, and a copy that is made twice."""
    namespace, production = clinic.staging.namespace, clinic.production.namespace
    wait = ("wait", NAME, "-n", namespace, "--for", "serving")
    assert heart(clinic, "staging", folder, *wait, "--timeout", "30s").returncode == 0
    assert heart(clinic, "staging", folder, *wait, "--timeout", "1s", "--version", "99").returncode == 3
    copy = ("copy", NAME, "-n", namespace, "--to", production, "--version", "1", "--quiet")
    again = heart(clinic, "staging", folder, *copy)
    assert (again.returncode, again.stdout.strip()) == (0, "1"), again.stderr
    back = heart(clinic, "production", folder, "copy", NAME, "-n", production, "--to", namespace)
    assert back.returncode == 1, "production's pipeline may not write to staging"
    assert "orbidden" in back.stderr
    command = heart(clinic, "staging", folder, "rollback", NAME, "-n", production, "--no-wait")
    assert command.returncode == 1, "staging's pipeline decides nothing in production"
    assert clinic.production.status["serving"]["digest"] == digest


def test_a_version_that_fails_its_gate_stops_the_pipeline(clinic: Clinic, tmp_path: Path) -> None:
    """Nothing of it reaches production, and the log has the figure."""
    before = clinic.production.get()["spec"], clinic.production.status["serving"]["digest"]
    repository = repository_of(clinic, tmp_path)
    strict = {"checks": [{"metric": "roc_auc", "min": 0.999}]}
    repository.write("heartmodel.yaml", model_file(training={**QUICK, "seed": 11}, gates=strict))
    done = github(repository, "push")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "GateFailed" in done.stdout
    assert "roc_auc" in done.stdout
    after = clinic.production.get()["spec"], clinic.production.status["serving"]["digest"]
    assert after == before
