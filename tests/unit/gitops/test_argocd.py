"""The health checks for Argo CD, run by a Lua interpreter on the status that the operator plans."""

import re
from pathlib import Path
from typing import Any

import lupa
import pytest
import yaml

from heart_api.kube.kinds import HEART_MODEL
from heart_api.names import API_VERSION, GROUP, Reason
from tests.support.plan.federated import SiteWorld, federated_world
from tests.support.plan.world import World, bring_up, serving_world, watch

ROOT = Path(__file__).resolve().parents[3]
CHECKS = yaml.safe_load((ROOT / "examples/gitops/argocd/argocd-cm.yaml").read_text())["data"]


def health(kind: str, resource: dict[str, Any], group: str = GROUP) -> tuple[str, str]:
    """(status, message) as Argo CD gets them: it runs the script with `obj` in its globals and no libraries of the
    system."""
    lua = lupa.LuaRuntime(register_eval=False, register_builtins=False)
    lua.globals()["obj"] = lua.table_from(resource, recursive=True)
    found = lua.execute(CHECKS[f"resource.customizations.health.{group}_{kind}"])
    return found["status"], found["message"]


def resource(world: World, generation: int | None = None) -> dict[str, Any]:
    """The stored HeartModel after a reconcile."""
    status = world.model.status
    return {
        "apiVersion": f"{GROUP}/{API_VERSION}",
        "kind": HEART_MODEL.kind,
        "metadata": {"name": world.model.name, "generation": generation or world.model.generation},
        "spec": world.model.spec.dump(),
        "status": status.dump(),
    }


def trained(auc: float = 0.9) -> World:
    """Version 1 serves; a second training has just ended."""
    world = serving_world()
    world.retrain("again")
    world.settle()
    world.finish_job(auc=auc)
    bring_up(world)
    return world


def test_a_model_that_serves_is_healthy() -> None:
    assert health("HeartModel", resource(trained())) == ("Healthy", "Version 2 serves")


def test_a_model_that_the_operator_has_not_seen_or_is_training_progresses() -> None:
    world = World()
    assert health("HeartModel", {**resource(world), "status": {}})[0] == "Progressing"
    world.settle()
    status, message = health("HeartModel", resource(world))
    assert status == "Progressing"
    assert message.startswith("TrainingStarted: ")


def test_a_new_generation_is_not_judged_by_the_old_status() -> None:
    world = trained()
    assert health("HeartModel", resource(world, world.model.generation + 1))[0] == "Progressing"


def test_a_rejected_version_is_degraded_and_stays_so() -> None:
    """Its predecessor serves; Progressing for ever would hide that the sync did not do what it was meant to."""
    world = trained(auc=0.5)
    for _ in range(3):
        status, message = health("HeartModel", resource(world))
        assert status == "Degraded"
        assert message.startswith("GateFailed: ")
        world.pass_time(3600)
        world.settle()


def test_a_candidate_that_awaits_approval_is_suspended() -> None:
    world = serving_world()
    world.merge_spec({"approval": "Manual"})
    world.retrain("again")
    world.settle()
    world.finish_job()
    bring_up(world)
    status, message = health("HeartModel", resource(world))
    assert (status, message.startswith("AwaitingApproval: Version 2 ")) == ("Suspended", True)


def test_a_candidate_without_traffic_is_suspended_and_does_not_progress_for_ever() -> None:
    world = serving_world()
    world.merge_spec({"rollout": {"steps": [{"setWeight": 50}, {"pause": {"duration": "5m"}}], "analysis": {}}})
    world.retrain("again")
    world.settle()
    world.finish_job()
    world.start_pods()
    world.settle()
    watch(world, 3600)
    status, message = health("HeartModel", resource(world))
    assert (status, message.startswith("OnHold: Version 2 ")) == ("Suspended", True), message


def test_a_version_whose_gate_cannot_tell_is_suspended() -> None:
    world = serving_world()
    world.retrain("again")
    world.settle()
    world.finish_job(regression=-0.02)
    bring_up(world)
    status, message = health("HeartModel", resource(world))
    assert (status, message.startswith("InsufficientEvidence: ")) == ("Suspended", True), message


def test_an_outage_of_the_registry_progresses() -> None:
    world = serving_world()
    world.registry_error = "down"
    world.settle()
    assert health("HeartModel", resource(world))[0] == "Progressing"


def test_an_invalid_spec_and_a_failed_training_are_degraded() -> None:
    world = serving_world()
    world.merge_spec({"monitoring": {"alerts": {"errorRate": {"warning": 0.1, "critical": 0.05}}}})
    world.settle()
    status, message = health("HeartModel", resource(world))
    assert (status, message.startswith("InvalidSpec: ")) == ("Degraded", True), message
    world = World()
    world.settle()
    world.fail_job()
    world.settle()
    assert health("HeartModel", resource(world))[0] == "Degraded"


def test_a_version_that_its_traffic_rejects_is_degraded() -> None:
    world = serving_world()
    world.retrain("again")
    world.settle()
    world.finish_job(starts=False)
    bring_up(world)
    watch(world, 7200)
    status, message = health("HeartModel", resource(world))
    assert (status, message.startswith("ReadyDeadlineExceeded: ")) == ("Degraded", True), message


def test_words_by_which_the_check_decides_are_reasons() -> None:
    script = CHECKS[f"resource.customizations.health.{GROUP}_HeartModel"]
    named = re.findall(r"(\w+) = true", script)
    assert len(named) == 5
    assert set(named) <= set(vars(Reason).values())


@pytest.mark.parametrize(
    ("status", "expected"),
    [({}, ("Progressing", "Waiting for Argo CD")), ({"health": {"status": "Degraded"}}, ("Degraded", ""))],
)
def test_an_application_is_as_healthy_as_what_it_syncs(status: dict[str, Any], expected: tuple[str, str]) -> None:
    """Argo CD has no check for Applications of its own, so that waves of them would not wait."""
    assert health("Application", {"status": status}, "argoproj.io") == expected


def test_a_suspended_model_is_suspended() -> None:
    world = serving_world()
    world.merge_spec({"suspend": True})
    world.settle()
    assert health("HeartModel", resource(world))[0] == "Suspended"


@pytest.mark.parametrize(
    ("spec", "ready", "expected"),
    [({}, "True", "Healthy"), ({}, "False", "Degraded"), ({"suspend": True}, "True", "Suspended")],
)
def test_a_schedule(spec: dict[str, Any], ready: str, expected: str) -> None:
    condition = {"type": "Ready", "status": ready, "reason": "X", "message": "as it is"}
    status = {"observedGeneration": 1, "conditions": [condition]}
    found = health("RetrainSchedule", {"metadata": {"generation": 1}, "spec": spec, "status": status})
    assert found[0] == expected


# --- FederationSite --------------------------------------------------------------------------------


def site_health(found: SiteWorld) -> tuple[str, str]:
    site = found.site
    metadata = {"name": site.name, "generation": site.generation}
    return health("FederationSite", {"metadata": metadata, "spec": site.spec.dump(), "status": site.status.dump()})


def test_a_site_progresses_until_its_data_are_checked() -> None:
    world = federated_world(checked=False)
    assert site_health(world.sites["north/ward"])[0] == "Progressing"
    world.answer_checks()
    assert site_health(world.sites["north/ward"])[0] == "Healthy"


def test_a_site_whose_data_cannot_be_read_is_degraded() -> None:
    world = federated_world(checked=False)
    world.fail_check("north/ward")
    status, message = site_health(world.sites["north/ward"])
    assert (status, message.startswith("CheckFailed: ")) == ("Degraded", True)


def test_a_site_does_not_hold_up_the_wave_of_the_model_that_it_waits_for() -> None:
    world = federated_world(checked=False)
    world.sites["north/ward"].change(allow=[{"model": "clinic/other"}])
    world.rest()
    status, message = site_health(world.sites["north/ward"])
    assert (status, message.startswith("WaitingForModel: ")) == ("Healthy", True)


@pytest.mark.parametrize("kept_out", [{"suspend": True}, {"allow": []}])
def test_a_site_that_a_person_keeps_out_is_suspended(kept_out: dict[str, Any]) -> None:
    world = federated_world()
    world.sites["north/ward"].change(**kept_out)
    world.rest()
    assert site_health(world.sites["north/ward"])[0] == "Suspended"
