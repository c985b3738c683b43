"""A real API server takes every manifest as it is: no unknown field, no warning, also where pods must be restricted."""

import pytest
import yaml

from tests.unit.heart_operator.manifests.conftest import read_case

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def namespace(kubectl):
    """`clinic`, as the golden models have it, where only restricted pods are admitted."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    clinic = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "clinic", "labels": labels}}
    done = kubectl("apply", "-f", "-", stdin=clinic)
    assert done.returncode == 0, done.stderr
    return "clinic"


@pytest.fixture(params=["smallest", "full"])
def case(request):
    return read_case(request.param)


def test_every_manifest_is_accepted_without_a_warning(kubectl, namespace, case):
    for manifest in case.everything():
        done = kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=manifest)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", manifest["kind"]


def test_every_pod_is_admitted_where_pods_must_be_restricted(kubectl, namespace, case):
    account = case.child("ServiceAccount")
    account["metadata"].pop("ownerReferences")  # of a model that is not there: the garbage collector would take it
    assert kubectl("apply", "-f", "-", stdin=account).returncode == 0
    for manifest in (case.job, case.deployment()):
        template = manifest["spec"]["template"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**template["metadata"], "name": "pod", "namespace": namespace},
            "spec": template["spec"],
        }
        done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=pod)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", manifest["kind"]


def test_the_namespace_does_reject_other_pods(kubectl, namespace, case):
    """Or the test above would prove nothing."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": namespace},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    assert "violates PodSecurity" in kubectl("create", "--dry-run=server", "-f", "-", stdin=pod).stderr


def test_the_server_changes_nothing_that_we_set(kubectl, namespace, case):
    """A value that comes back in another spelling would be written again and again."""
    for manifest in case.everything():
        arguments = ("apply", "--server-side", "--dry-run=server", "-f", "-", "-o", "yaml")
        stored = yaml.safe_load(kubectl(*arguments, stdin=manifest).stdout)
        assert changed("", manifest.get("spec", {}), stored.get("spec", {})) == [], manifest["kind"]


def changed(path, ours, theirs):
    """Paths of our values that the server spells otherwise."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [found for key, value in ours.items() for found in changed(f"{path}.{key}", value, theirs.get(key))]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [found for index, (one, other) in pairs for found in changed(f"{path}[{index}]", one, other)]
    return [] if ours == theirs else [f"{path}: {ours!r} became {theirs!r}"]
