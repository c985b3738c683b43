"""What a person gets for a FederationSite, or a HeartModel with sites, at `kubectl apply`."""

import json
from typing import Any

import pytest

from heart_api.federationsite import FederationSiteSpec
from tests.api.test_crd import apply
from tests.support.plan.changes import GONE, Resource, changed
from tests.support.plan.federated import KEY, federated_spec

pytestmark = pytest.mark.api

SMALLEST: Resource = {
    "apiVersion": "heartops.dev/v1alpha1",
    "kind": "FederationSite",
    "metadata": {"name": "ward", "namespace": "default"},
    "spec": {"dataset": {"uri": "pvc://cohort/rows.csv"}, "allow": [{"model": "clinic/heart"}]},
}
MODEL: Resource = {
    "apiVersion": "heartops.dev/v1alpha1",
    "kind": "HeartModel",
    "metadata": {"name": "heart", "namespace": "default"},
    "spec": federated_spec(),
}

GOOD: dict[str, dict[str, Any]] = {
    "smallest": {},
    "nothing allowed yet": {"spec.allow": GONE},
    "a contract": {"spec.allow": [{"model": "clinic/heart", "contractHash": "sha256:" + "0" * 64}]},
    "elsewhere": {"spec.dataset": GONE, "spec.publicKey": KEY},
    "bounds": {"spec.minimumRows": 500, "spec.minimumCell": 25, "spec.suspend": True},
    "memory": {"spec.resources": {"limits": {"memory": "4Gi"}}},
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no data and no key": ({"spec.dataset": GONE}, "exactly one of dataset"),
    "data and a key": ({"spec.publicKey": KEY}, "exactly one of dataset"),
    "a private key": (
        {"spec.dataset": GONE, "spec.publicKey": "-----BEGIN OPENSSH PRIVATE KEY-----"},
        "spec.publicKey",
    ),
    "two lines": ({"spec.dataset": GONE, "spec.publicKey": f"{KEY} a\nevil"}, "spec.publicKey"),
    "a model of no namespace": ({"spec.allow": [{"model": "heart"}]}, "spec.allow[0].model"),
    "every model": ({"spec.allow": [{"model": "*/*"}]}, "spec.allow[0].model"),
    "one model twice": ({"spec.allow": [{"model": "a/b"}, {"model": "a/b"}]}, "Duplicate value"),
    "a hash that is none": ({"spec.allow": [{"model": "a/b", "contractHash": "abc"}]}, "contractHash"),
    "a single row": ({"spec.minimumRows": 1}, "spec.minimumRows"),
    "no cell": ({"spec.minimumCell": 0}, "spec.minimumCell"),
    "outcomes of nobody's model": (
        {"spec.dataset": {"uri": "pvc://c/r.csv", "includeFeedback": True}},
        "includeFeedback is for a model's own dataset",
    ),
    "a way out of the volume": ({"spec.dataset.uri": "pvc://cohort/../rows.csv"}, "may not hold"),
    "a file that DVC tracks": (
        {"spec.dataset": {"uri": "dvc+https://git.example.org/cohort.git#rows.csv"}},
        "the image of sites has no DVC",
    ),
    "an image": ({"spec.image": "evil"}, "spec.image"),
    "a name that is no label": ({"metadata.name": "wa.rd"}, "metadata.name"),
}
GOOD_MODELS: dict[str, dict[str, Any]] = {
    "smallest": {},
    "one site": {"spec.federation": {"sites": ["a/b"], "minSites": 1}},
    "a selector": {"spec.federation": {"selector": {"namespaces": ["a"], "matchLabels": {"ward": "heart"}}}},
    "to go on": {"spec.federation.onMissingSite": "Continue", "spec.federation.roundDeadlineSeconds": 60},
}
BAD_MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "no data": ({"spec.federation": GONE}, "exactly one of dataset and federation"),
    "data and sites": ({"spec.dataset": {"uri": "https://a/b"}}, "exactly one of dataset and federation"),
    "neither sites nor selector": ({"spec.federation": {}}, "exactly one of sites and selector"),
    "sites of every namespace": ({"spec.federation": {"selector": {"matchLabels": {"a": "b"}}}}, "namespaces"),
    "more than there are": ({"spec.federation.minSites": 4}, "minSites must not be greater"),
    "a site twice": ({"spec.federation.sites": ["a/b", "a/b"]}, "Duplicate value"),
    "a site of no namespace": ({"spec.federation.sites": ["b"]}, "spec.federation.sites[0]"),
    "too many": ({"spec.federation.sites": [f"a/b{i}" for i in range(17)]}, "spec.federation.sites"),
    "a promise that is not kept": ({"spec.federation.aggregation": "SecAggPlus"}, "spec.federation.aggregation"),
    "waiting for ever": ({"spec.federation.roundDeadlineSeconds": 10**6}, "roundDeadlineSeconds"),
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD.keys())
def test_good_sites_are_admitted_with_the_defaults_of_the_types(kubectl, changes: dict[str, Any]) -> None:
    resource = changed(changes, SMALLEST)
    done = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=resource)
    assert done.returncode == 0, done.stderr
    assert FederationSiteSpec.model_validate(json.loads(done.stdout)["spec"]) == FederationSiteSpec.model_validate(
        resource["spec"]
    )


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD.keys())
def test_bad_sites_are_rejected_with_the_field(kubectl, changes: dict[str, Any], words: str) -> None:
    done = apply(kubectl, changed(changes, SMALLEST), "--dry-run=server")
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize("changes", GOOD_MODELS.values(), ids=GOOD_MODELS.keys())
def test_models_with_sites_are_admitted(kubectl, changes: dict[str, Any]) -> None:
    done = apply(kubectl, changed(changes, MODEL), "--dry-run=server")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("changes", "words"), BAD_MODELS.values(), ids=BAD_MODELS.keys())
def test_models_with_bad_sites_are_rejected_with_the_field(kubectl, changes: dict[str, Any], words: str) -> None:
    done = apply(kubectl, changed(changes, MODEL), "--dry-run=server")
    assert done.returncode != 0
    assert words in done.stderr


def test_the_fields_explain_themselves(kubectl) -> None:
    for path in ("fsite.spec.allow", "fsite.spec.minimumCell", "fsite.status.problems", "hm.spec.federation"):
        done = kubectl("explain", path)
        assert done.returncode == 0, done.stderr
        assert "<no description>" not in done.stdout
