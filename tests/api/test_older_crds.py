"""The CRDs of an older release beside a newer operator: Helm does not bring the newer ones."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from heart_api.kube.kinds import HEART_MODEL, RETRAIN_SCHEDULE, Kind
from heart_api.names import ScheduleReason
from tests.support.apiserver.client import poll
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def test_nothing_is_begun_that_could_not_be_written_down(world: World) -> None:
    world.create()
    with without(world, HEART_MODEL, "heart", "training"), world.start():
        told = world.wait_condition("Ready", "False", "ApplyFailed")
        assert "apply the CRDs of this release (crds/)" in told["message"]
        assert "status.training" in told["message"]
        world.settle()
        assert world.event_reasons() == ["ApplyFailed"]
        assert world.jobs() == []
    with world.start():
        world.wait_serving("1", seconds=60)
    assert len(world.jobs()) == 1


def test_what_serves_goes_on(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.settle()
    before = world.deployments()["1"]["metadata"]["generation"]
    with without(world, HEART_MODEL, "heart", "gate"), world.start():
        world.wait_condition("Ready", "False", "ApplyFailed")
        world.settle()
        assert world.deployments()["1"]["metadata"]["generation"] == before
        assert world.selected() == "1"


def test_a_schedule_says_it_as_well(world: World) -> None:
    world.create_schedule("nightly", "nobody", schedule="0 3 * * 0")
    with without(world, RETRAIN_SCHEDULE, "nightly", "nextScheduleTime"), world.start():

        def told() -> str:
            found = world.schedule_status().get("conditions", ())
            return next((each["message"] for each in found if each["reason"] == ScheduleReason.APPLY_FAILED), "")

        assert "status.nextScheduleTime" in poll("the schedule names the field", told)


@contextmanager
def without(world: World, kind: Kind, name: str, field: str) -> Iterator[None]:
    """A CRD that does not know `field` of the status, once the object `name` shows that the API server has it."""
    path = f"{CRDS}/{kind.plural}.{kind.group}"
    ours = world.api.call("GET", path)["spec"]["versions"]
    older = copy.deepcopy(ours)
    del older[0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"][field]

    def known() -> bool:
        strict = {"dryRun": "All", "fieldValidation": "Strict"}
        path, some = kind.path(world.namespace, name, "status"), {"status": {field: "?"}}
        try:
            world.api.call("PATCH", path, some, "application/merge-patch+json", **strict)
        except httpx.HTTPStatusError as rejected:
            return "unknown field" not in str(rejected)
        return True

    def change(versions: object) -> None:
        world.api.call("PATCH", path, {"spec": {"versions": versions}}, "application/merge-patch+json")

    try:
        change(older)
        poll("the older CRD is in force", lambda: not known())
        yield
    finally:
        change(ours)
        poll("our CRD is in force again", known)
