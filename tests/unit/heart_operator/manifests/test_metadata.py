"""Names, labels and owners of all that belongs to a model."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heart_api.names import Label
from tests.unit.heart_operator.manifests.conftest import Case, read_case

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

MODEL_NAMES = st.from_regex(r"\A[a-z]([-a-z0-9]{0,61}[a-z0-9])?\Z")
VERSIONS = st.integers(1, 10**6).map(str)


def objects(found):
    """The manifests' own metadata and their pods'."""
    for manifest in found:
        yield manifest["metadata"]
        if "template" in manifest.get("spec", {}):
            yield manifest["spec"]["template"]["metadata"]


@settings(max_examples=50, deadline=None)
@given(MODEL_NAMES, VERSIONS)
def test_names_and_labels_are_valid_for_every_model(name, version):
    smallest = read_case("full")
    case = Case(smallest.model.model_copy(update={"name": name}), smallest.profile)
    found = [case.job, case.deployment(version), *case.children(version=version)]
    for manifest in found:
        assert DNS_LABEL.fullmatch(manifest["metadata"]["name"])
        # A Deployment's and a Job's pods append up to 17 characters to its name.
        assert len(manifest["metadata"]["name"]) <= {"Deployment": 47, "Job": 52}.get(manifest["kind"], 63)
    for metadata in objects(found):
        assert all(len(value) <= 63 and LABEL_VALUE.fullmatch(value) for value in metadata["labels"].values())
    identities = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in found]
    assert len(set(identities)) == len(identities)


def test_long_names_that_begin_alike_stay_apart(smallest):
    def names(name):
        case = Case(smallest.model.model_copy(update={"name": name}), smallest.profile)
        return {(m["kind"], m["metadata"]["name"]) for m in (case.job, case.deployment(), *case.children())}

    assert not names("a" * 62 + "b") & names("a" * 62 + "c")


def test_everything_has_the_recommended_labels_and_its_model(case):
    for metadata in objects(case.everything()):
        labels = metadata["labels"]
        assert labels[Label.INSTANCE] == labels[Label.MODEL] == "heart-disease"
        assert (labels[Label.PART_OF], labels[Label.MANAGED_BY]) == ("heartops", "heartops")
        assert Label.NAME in labels


@pytest.mark.parametrize("kind", ["Job", "Deployment", "Service", "NetworkPolicy", "PrometheusRule"])
def test_the_model_owns_its_children(full, kind):
    """So that deleting the model collects them; and nothing waits for them, which would need another right."""
    manifest = next(found for found in full.everything() if found["kind"] == kind)
    assert manifest["metadata"]["namespace"] == "clinic"
    assert manifest["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "heartops.dev/v1alpha1",
            "kind": "HeartModel",
            "name": "heart-disease",
            "uid": full.model.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]
