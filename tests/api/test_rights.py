"""The rights that the chart gives to the operator, against the API server's audit log."""

import pytest

from heart_api.kube.kinds import FEDERATION_SITE, LEASE
from heart_api.names import Label
from tests.support.apiserver.client import poll
from tests.support.apiserver.tenant import scrape, token
from tests.support.apiserver.world import CRASHING, OPERATOR_NAMESPACE, World, kind_named

pytestmark = pytest.mark.api

RACES = {("get", "jobs"), ("get", "deployments")}
"""Used only when an object of that name was made between two requests."""


def test_the_chart_grants_what_is_used_and_nothing_else(world: World) -> None:
    ingress = {"className": "none", "host": "heart.example.org"}
    train = world.registry.train
    world.kubelet.train = lambda request: train(request) if request.training.seed != 42 else None
    if world.api.get(LEASE, OPERATOR_NAMESPACE, "heartops-operator"):
        world.api.delete(LEASE, OPERATOR_NAMESPACE, "heartops-operator")
    with world.start() as operator:
        assert scrape(operator, token(world.api, world.namespace, "somebody")).status_code == 403
        ways_in = {"ingress": ingress, "route": {"gateway": {"name": "public"}}}
        world.create(serving=ways_in, rollout={"rollbackWindow": "1s", "steps": []})
        poll("a training Job", world.jobs)
        world.edit({"training": {"seed": 1}})
        world.wait_serving("1")
        world.create_schedule(schedule="0 3 29 2 *")
        poll("the schedule's status", world.schedule_status)
        dataset = {"uri": "pvc://cohort/rows.csv"}
        metadata = {"namespace": world.namespace, "name": "ward"}
        kind = {"apiVersion": FEDERATION_SITE.api_version, "kind": FEDERATION_SITE.kind}
        world.api.create(FEDERATION_SITE, kind | {"metadata": metadata, "spec": {"dataset": dataset}})
        poll("the site's status", lambda: world.api.get(FEDERATION_SITE, world.namespace, "ward").get("status"))
        for kind, name in sorted(world.children()):
            disturb(world, kind, name)
        world.settle()
        assert not [name for _, name in world.children() if name.startswith("old-")], "what is not wanted must go"
        switched_off = {"replicas": 1, "autoscaling": None, "ingress": None, "route": None}
        world.edit({"serving": switched_off, "monitoring": {"serviceMonitor": False}, "training": {"seed": 7}})
        world.wait_serving("2", seconds=40)
        world.settle()
        world.orphan()
        world.create(serving=switched_off, training={"seed": 7})
        world.wait_serving("2", seconds=40)
        world.settle()
    assert world.audit.forbidden() == []
    assert granted(world) - world.audit.used() - RACES == set()


def disturb(world: World, kind: str, name: str) -> None:
    """Edit the child, and leave one beside it as a former version of the operator may have made it."""
    if kind == "Job":
        return
    edit = {"metadata": {"labels": {Label.PART_OF: "edited"}}}
    if kind == "Deployment":
        edit = {"spec": {"template": {"spec": CRASHING}}}
    else:
        leave_an_old_one(world, kind, name)
    world.api.patch(kind_named(kind), world.namespace, name, edit)


def leave_an_old_one(world: World, kind: str, name: str) -> None:
    living = world.child(kind_named(kind), name)
    metadata = {key: living["metadata"][key] for key in ("namespace", "labels", "ownerReferences")}
    old = {"apiVersion": living["apiVersion"], "kind": kind, "metadata": metadata | {"name": f"old-{name}"}}
    if spec := living.get("spec"):
        old["spec"] = {key: value for key, value in spec.items() if key not in ("clusterIP", "clusterIPs")}
    world.api.create(kind_named(kind), old)


def granted(world: World) -> set[tuple[str, str]]:
    """(verb, resource) of everything that the chart's roles allow."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    everywhere = world.api.call("GET", f"{rbac}/clusterroles/heartops")
    leader = world.api.call("GET", f"{rbac}/namespaces/{OPERATOR_NAMESPACE}/roles/heartops-leader")
    metrics = world.api.call("GET", f"{rbac}/clusterroles/heartops-metrics-auth")
    rules = (*everywhere["rules"], *leader["rules"], *metrics["rules"])
    return {(verb, name) for rule in rules for verb in rule["verbs"] for name in rule["resources"]}
