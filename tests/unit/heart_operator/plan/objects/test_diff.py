"""Server-side apply only where something differs; and whatever differs is noticed."""

import copy
from typing import Any

import pytest

from heart_api.kube.values import Manifest
from heart_api.names import Annotation
from heart_operator.plan.objects.diff import difference, needs_apply, stamp
from tests.support.plan.world import serving_world

SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "heart", "labels": {"a": "b"}, "ownerReferences": [{"uid": "u-1", "kind": "HeartModel"}]},
    "spec": {"selector": {"v": "1"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}], "args": ["x", "y"]},
}


def living(changes: dict[str, Any] | None = None) -> Manifest:
    """As the API server returns it: with defaults and other people's additions."""
    found = stamp(copy.deepcopy(SERVICE))
    found["metadata"] |= {"uid": "123", "resourceVersion": "7", "managedFields": []}
    found["metadata"]["labels"] |= {"someone": "else"}
    found["spec"] |= {"clusterIP": "10.0.0.1", "sessionAffinity": "None"}
    found["spec"]["ports"][0]["protocol"] = "TCP"
    found["spec"] |= changes or {}
    return found


def test_defaults_and_other_peoples_fields_are_no_difference() -> None:
    assert needs_apply(stamp(SERVICE), living()) is None


def test_what_is_missing_is_applied() -> None:
    assert needs_apply(stamp(SERVICE), None) == "missing"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"selector": {"v": "2"}}, "spec.selector.v"),
        ({"selector": {}}, "spec.selector.v"),
        ({"selector": {"v": "1", "x": "y"}}, "spec.selector.x"),
        ({"ports": []}, "spec.ports[http]"),
        ({"ports": [{"name": "http", "port": 81, "targetPort": "http"}]}, "spec.ports[http].port"),
        ({"ports": [{"name": "http", "port": 80, "targetPort": 8080}]}, "spec.ports[http].targetPort"),
        ({"args": ["x"]}, "spec.args"),
        ({"args": ["y", "x"]}, "spec.args[0]"),
        ({"args": None}, "spec.args"),
    ],
)
def test_an_edited_field_is_found(changes: dict[str, Any], path: str) -> None:
    assert needs_apply(stamp(SERVICE), living(changes)) == path


def test_an_entry_that_others_added_to_a_keyed_list_is_theirs() -> None:
    ports = [{"name": "extra", "port": 90}, {"name": "http", "port": 80, "targetPort": "http"}]
    assert needs_apply(stamp(SERVICE), living({"ports": ports})) is None


def test_a_field_that_we_no_longer_set_is_noticed() -> None:
    wanted = copy.deepcopy(SERVICE)
    del wanted["spec"]["args"]
    assert needs_apply(stamp(wanted), living()) == f"metadata.annotations.{Annotation.APPLIED}"


@pytest.mark.parametrize(
    ("desired", "found", "same"),
    [
        ("500m", "0.5", True),
        ("1Gi", "1024Mi", True),
        (1, "1", True),
        ("1Gi", "1G", False),
        (True, "True", False),
        ("a", "b", False),
        ({}, None, True),
        ([], None, True),
        (None, None, True),
        ({}, {"key": "x"}, False),
    ],
)
def test_values_that_the_api_server_writes_its_own_way(desired: Any, found: Any, same: bool) -> None:
    manifest = {"metadata": {"name": "x"}, "spec": {"value": desired}}
    written = copy.deepcopy(stamp(manifest))
    written["spec"]["value"] = found
    assert (needs_apply(stamp(manifest), written) is None) == same


def test_stamping_changes_no_input_and_repeats() -> None:
    before = copy.deepcopy(SERVICE)
    assert stamp(SERVICE) == stamp(SERVICE)
    assert before == SERVICE


def test_a_newer_operators_manifests_are_applied_once() -> None:
    world = serving_world()
    for child in world.children.values():
        child["metadata"]["annotations"][Annotation.APPLIED] = "an older operator's"
    plan = world.reconcile()
    assert len(plan.apply) == len(world.children)
    assert world.reconcile().apply == ()


def test_an_empty_value_that_the_api_server_leaves_out_is_no_difference() -> None:
    """A variable without a value comes back without the field."""
    desired = {"env": [{"name": "ORIGINS", "value": ""}]}
    assert difference(desired, {"env": [{"name": "ORIGINS"}]}, "") is None
    assert (
        difference(desired, {"env": [{"name": "ORIGINS", "value": "https://evil.example"}]}, "")
        == ".env[ORIGINS].value"
    )
