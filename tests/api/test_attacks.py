"""Somebody who may edit one namespace gets nothing through our resources that the namespace does not give them."""

import json
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from heart_api.handover import Env, TrainingOutcome, TrainingRequest, TrainingResult
from heart_api.kube.kinds import BY_NAME, HEART_MODEL, JOB, LEASE, RETRAIN_SCHEDULE, Kind
from heart_api.names import Annotation, Label
from tests.support.apiserver import attacks
from tests.support.apiserver.attacks import (
    DROPPED,
    INERT,
    NAMED,
    REJECTED,
    SCHEDULES,
    VICTIM,
    attacked_model,
    attacked_schedule,
)
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.fake_kubelet import FakeKubelet
from tests.support.apiserver.injected_values import dangers
from tests.support.apiserver.tenant import BINDING, answer, give_edit
from tests.support.apiserver.world import OPERATOR_NAMESPACE, World
from tests.support.plan.changes import Resource, changed

pytestmark = pytest.mark.api

HOME = "attackers"
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
PROXY = f"/api/v1/namespaces/{VICTIM}/services/heart:http/proxy"
RBAC = "rbac.authorization.k8s.io"


def binding(namespace: str, kind: str, role: str) -> Resource:
    """To oneself."""
    reference = {"apiGroup": RBAC, "kind": kind, "name": role}
    subjects = [{"apiGroup": RBAC, "kind": "User", "name": "mallory"}]
    return {"metadata": {"namespace": namespace, "name": "evil"}, "roleRef": reference, "subjects": subjects}


def token_request() -> Resource:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}


FORBIDDEN: dict[str, tuple[str, str, Any]] = {
    "a status of one's own": ("PATCH", HEART_MODEL.path(HOME, "heart", "status"), {"status": {"gate": "evil"}}),
    "a model elsewhere": ("POST", HEART_MODEL.path(VICTIM), attacked_model(VICTIM, "evil")),
    "an order for another's model": (
        "PATCH",
        HEART_MODEL.path(VICTIM, "heart"),
        {"metadata": {"annotations": {Annotation.RETRAIN: "evil"}}},
    ),
    "a schedule elsewhere": ("POST", RETRAIN_SCHEDULE.path(VICTIM), attacked_schedule(VICTIM)),
    "an administrator's profiles": ("PATCH", CONFIG_MAP.path(OPERATOR_NAMESPACE, "heartops-runtimes"), {"data": {}}),
    "the operator's Secret": ("GET", SECRET.path(OPERATOR_NAMESPACE, "heartops-runtime"), None),
    "the operator's Lease": ("DELETE", LEASE.path(OPERATOR_NAMESPACE, "heartops"), None),
    "the kind itself": (
        "DELETE",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/heartmodels.heartops.dev",
        None,
    ),
    "the operator's own token": (
        "POST",
        SERVICE_ACCOUNT.path(OPERATOR_NAMESPACE, "heartops", "token"),
        token_request(),
    ),
    "the token that opens every workspace": (
        "POST",
        SERVICE_ACCOUNT.path(OPERATOR_NAMESPACE, "heartops-registry", "token"),
        token_request(),
    ),
    "a token of another's model": ("POST", SERVICE_ACCOUNT.path(VICTIM, "heart-model", "token"), token_request()),
    "another's key of row hashes": ("GET", SECRET.path(VICTIM, "heartops-runtime"), None),
    "another's predictions through the API server": ("POST", f"{PROXY}/predict", [{"age": 63}]),
    "another's metrics through the API server": ("GET", f"{PROXY}/metrics", None),
    "a shell in another's pod": ("POST", f"/api/v1/namespaces/{VICTIM}/pods/heart-v1/exec?command=id", None),
    "another's log": ("GET", f"/api/v1/namespaces/{VICTIM}/pods/heart-v1/log", None),
    "a shell in the operator": ("POST", f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/o/exec?command=id", None),
    "MLflow through the API server": (
        "GET",
        f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/services/heartops-mlflow:http/proxy/health",
        None,
    ),
    "rights in another's workspace": (
        "POST",
        BINDING.path(VICTIM),
        binding(VICTIM, "ClusterRole", "heartops-registry"),
    ),
    "rights of the operator": ("POST", BINDING.path(HOME), binding(HOME, "ClusterRole", "heartops")),
    "rights of an approver": ("POST", BINDING.path(HOME), binding(HOME, "ClusterRole", "heartops-approver")),
    "the right to read all metrics": (
        "POST",
        f"/apis/{RBAC}/v1/clusterrolebindings",
        {
            "metadata": {"name": "evil"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "heartops-metrics-reader"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "mallory"}],
        },
    ),
    "a status of another's model": ("PATCH", HEART_MODEL.path(VICTIM, "heart", "status"), {"status": {"gate": "evil"}}),
    "another's pods": ("PATCH", HEART_MODEL.path(VICTIM, "heart", "scale"), {"spec": {"replicas": 0}}),
    "the admission policy": (
        "DELETE",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/heartops-commands",
        None,
    ),
}


@pytest.fixture(scope="module")
def mallory(api_server: Path, kube_api: KubeApi) -> Iterator[KubeApi]:
    """May edit one namespace."""
    mallory = KubeApi(api_server, as_user="mallory")
    give_edit(kube_api, mallory, HOME)
    forged = changed(REJECTED["an order in somebody else's name"][0], attacked_model(HOME, "heart"))
    poll("the admission policy is in force", lambda: offer(mallory, HEART_MODEL, forged)[0] != 200)
    yield mallory
    mallory.close()


def offer(mallory: KubeApi, kind: Kind, resource: Resource) -> tuple[int, Resource]:
    """As `kubectl --validate=false` would: the API server alone decides."""
    return answer(mallory, "POST", kind.path(HOME), resource, dryRun="All")


@pytest.mark.parametrize("name", DROPPED)
def test_a_field_that_is_none_of_ours_is_dropped(mallory: KubeApi, name: str) -> None:
    plain = attacked_model(HOME, "heart")
    status, stored = offer(mallory, HEART_MODEL, changed(DROPPED[name], plain))
    assert status == 200, stored
    expected = changed({"spec.serving.resources": {"limits": {}}}, plain) if name == "a device" else plain
    assert stored["spec"] == offer(mallory, HEART_MODEL, expected)[1]["spec"]


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_no_value_of_a_field_is_rejected_by_its_name(mallory: KubeApi, name: str) -> None:
    changes, says = REJECTED[name]
    rejected(offer(mallory, HEART_MODEL, changed(changes, attacked_model(HOME, "heart"))), says)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_rejected_by_the_fields_name(mallory: KubeApi, name: str) -> None:
    changes, says = SCHEDULES[name]
    rejected(offer(mallory, RETRAIN_SCHEDULE, changed(changes, attacked_schedule(HOME))), says)


def rejected(answered: tuple[int, Resource], says: str) -> None:
    status, found = answered
    assert status in (403, 422), found
    assert says in found["message"]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_elsewhere_is_not_theirs(mallory: KubeApi, name: str) -> None:
    status, found = answer(mallory, *FORBIDDEN[name])
    assert status == 403, found


@pytest.fixture
def attacked(world: World, kube_api: KubeApi, mallory: KubeApi) -> World:
    """The attacker's namespace, and an operator's profile that has bounds."""
    world.profiles.write_text(json.dumps({"default": attacks.PROFILE}))
    give_edit(kube_api, mallory, world.namespace)
    return world


@pytest.fixture
def victim(kube_api: KubeApi, world: World) -> Iterator[None]:
    """Another namespace, with a model of its own."""
    kube_api.create_namespace(VICTIM)
    with FakeKubelet(kube_api, world.registry.train, world.registry.evaluate, VICTIM):
        kube_api.create(HEART_MODEL, attacked_model(VICTIM, "heart"))
        yield
        kube_api.delete(HEART_MODEL, VICTIM, "heart")


def test_what_is_taken_gets_nowhere(attacked: World, victim: None, mallory: KubeApi) -> None:
    everything = [changes for part in (DROPPED, INERT) for changes in part.values()]
    worst = reduce(lambda model, changes: changed(changes, model), everything, model_of(attacked, "heart"))
    with attacked.start() as operator:
        poll("the victim serves", lambda: is_ready(attacked.api, VICTIM), 40)
        before = picture(attacked.api, VICTIM)
        mallory.create(HEART_MODEL, worst)
        attacked.wait_serving("1", seconds=60)
        made = objects(attacked.api, attacked.namespace)
        assert {item["kind"] for item in made} >= {"Job", "Deployment", "PrometheusRule", "Ingress"}
        assert [danger for item in made for danger in dangers(item)] == []
        assert picture(attacked.api, VICTIM) == before
        assert operator.metric("heartops_reconcile_errors_total") == 0


def test_what_leads_elsewhere_is_named_and_makes_nothing(attacked: World, mallory: KubeApi) -> None:
    named = {f"named-{number}": attack for number, attack in enumerate(NAMED.values())}
    with attacked.start():
        for name, (changes, _) in named.items():
            mallory.create(HEART_MODEL, changed(changes, model_of(attacked, name)))
        for name, (changes, says) in named.items():
            found = attacked.wait_condition("Ready", "False", "InvalidSpec", name=name)
            assert says in found["message"], changes
        assert objects(attacked.api, attacked.namespace) == []


def test_a_job_of_the_attackers_is_not_believed(attacked: World, mallory: KubeApi) -> None:
    """It bears the name that the training's would, every label, and a version of its own choice."""
    attacked.kubelet.train = lambda request: None
    with attacked.start("operator-a"):
        mallory.create(HEART_MODEL, model_of(attacked, "heart"))
        poll("a training Job", attacked.jobs)
        attacked.wait_condition("Trained", "Unknown", "TrainingStarted")
    (job,) = attacked.jobs()
    name = job["metadata"]["name"]
    attacked.api.delete(JOB, attacked.namespace, name)
    poll("the Job is gone", lambda: attacked.api.get(JOB, attacked.namespace, name) is None)
    mallory.create(JOB, forged(job))
    attacked.kubelet.train = attacked.registry.train
    with attacked.start("operator-b"):
        found = attacked.wait_condition("Ready", "False", "ApplyFailed", seconds=40)
        assert f"Job {name} exists and does not belong to this HeartModel" in found["message"]
        assert attacked.serving() is None
        assert attacked.deployments() == {}


def forged(job: Resource) -> Resource:
    """The same Job, of nobody."""
    meta = {key: job["metadata"][key] for key in ("name", "namespace", "annotations")}
    labels = {key: value for key, value in job["metadata"]["labels"].items() if key.startswith(("app.", "heartops."))}
    pod = {"metadata": {"labels": labels}, "spec": job["spec"]["template"]["spec"]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta | {"labels": labels}, "spec": {"template": pod}}


EVIL = TrainingResult(
    version="1",
    run_id="run-evil",
    artifact_sha256="sha256:" + "e" * 64,
    evaluation_sha256="sha256:" + "f" * 64,
)
FORGED = "forged-by-mallory"


def corrupt(job: Resource) -> Resource:
    """The same Job with every reference and label that the API server lets anybody copy, and a program of its own."""
    copied = forged(job)
    copied["metadata"] |= {"ownerReferences": job["metadata"]["ownerReferences"]}
    copied["spec"]["template"]["metadata"]["annotations"] = job["metadata"]["annotations"]
    (container,) = copied["spec"]["template"]["spec"]["containers"]
    container["image"] = "evil:1"
    for variable in container["env"]:
        if variable["name"] in (Env.TRAINING_REQUEST, Env.EVALUATION_REQUEST):
            variable["value"] = variable["value"].replace(job["metadata"]["name"], FORGED)
    return copied


def wait_for_training(world: World, mallory: KubeApi) -> Resource:
    """The training Job of a model of mallory's, which an operator has created and recorded, and then stopped."""
    world.kubelet.train = lambda request: None
    with world.start("operator-a"):
        mallory.create(HEART_MODEL, model_of(world, "heart"))
        world.wait_condition("Trained", "Unknown", "TrainingStarted")
        poll("the Job is recorded", lambda: world.status().get("jobs"))
    (job,) = world.jobs()
    assert [entry["uid"] for entry in world.status()["jobs"]] == [job["metadata"]["uid"]]
    return job


def replace_job(world: World, mallory: KubeApi, job: Resource, other: Resource) -> None:
    """As a tenant with `edit` can: the Job is deleted, and another one takes its name."""
    name = job["metadata"]["name"]
    mallory.delete(JOB, world.namespace, name)
    poll("the Job is gone", lambda: world.api.get(JOB, world.namespace, name) is None)
    mallory.create(JOB, other)

    def train(request: TrainingRequest) -> TrainingOutcome:
        return TrainingOutcome(result=EVIL) if request.job == FORGED else world.registry.train(request)

    world.kubelet.train = train
    poll("it has ended", lambda: (world.child(JOB, name).get("status") or {}).get("succeeded"), 30)


def test_a_job_with_a_copied_owner_reference_is_not_believed(attacked: World, mallory: KubeApi) -> None:
    """Before: its message named the version and the digest that were then served."""
    job = wait_for_training(attacked, mallory)
    replace_job(attacked, mallory, job, corrupt(job))
    with attacked.start("operator-b"):
        attacked.wait_condition("Ready", "True", seconds=90)
        assert attacked.status()["serving"]["digest"] != EVIL.artifact_sha256
        assert EVIL.artifact_sha256 not in str(attacked.deployments())
        attacked.wait_event("ForeignJob")
        (recorded,) = attacked.status()["jobs"]
        assert recorded["uid"] not in (job["metadata"]["uid"], None)


def test_a_forged_job_is_not_believed_where_no_uid_was_recorded(attacked: World, mallory: KubeApi) -> None:
    """The operator died between creating its Job and recording it."""
    job = wait_for_training(attacked, mallory)
    forget_jobs(attacked)
    replace_job(attacked, mallory, job, corrupt(job))
    with attacked.start("operator-b"):
        attacked.wait_condition("Ready", "True", seconds=90)
        assert attacked.status()["serving"]["digest"] != EVIL.artifact_sha256


def test_our_own_job_is_recovered_where_no_uid_was_recorded(attacked: World, mallory: KubeApi) -> None:
    job = wait_for_training(attacked, mallory)
    forget_jobs(attacked)
    attacked.kubelet.train = attacked.registry.train
    with attacked.start("operator-b"):
        attacked.wait_serving("1", seconds=60)
        assert [entry["uid"] for entry in attacked.status()["jobs"]] == [job["metadata"]["uid"]]
        assert len(attacked.registry.versions[f"{attacked.namespace}.heart"]) == 1, "nothing was trained twice"
        assert "ForeignJob" not in attacked.event_reasons()


def forget_jobs(world: World) -> None:
    model = world.model()
    model["status"]["jobs"] = []
    world.api.call("PUT", HEART_MODEL.path(world.namespace, "heart", "status"), model)


def test_an_edited_annotation_makes_no_other_training_of_a_job(attacked: World, mallory: KubeApi) -> None:
    """Before: the trigger that the next training would have, written on a finished Job, took its place."""
    with attacked.start():
        mallory.create(HEART_MODEL, model_of(attacked, "heart"))
        attacked.wait_serving("1", seconds=60)
        (job,) = attacked.jobs()
        attacked.kubelet.train = lambda request: None
        mallory.patch(
            HEART_MODEL, attacked.namespace, "heart", {"metadata": {"annotations": {Annotation.RETRAIN: "x"}}}
        )
        name = job["metadata"]["name"]
        (other,) = poll("another Job", lambda: [one for one in attacked.jobs() if one["metadata"]["name"] != name])
        trigger = other["metadata"]["annotations"][Annotation.TRIGGER]
        mallory.patch(JOB, attacked.namespace, name, {"metadata": {"annotations": {Annotation.TRIGGER: trigger}}})
        attacked.settle()
        assert attacked.status()["training"]["phase"] == "Running"
        attacked.kubelet.train = attacked.registry.train
        attacked.wait_serving("2", seconds=60)


def test_a_version_that_claims_a_training_waits_for_an_approver(attacked: World, mallory: KubeApi) -> None:
    """Before: it was ignored without a word, or adopted once its `rejected` tag was gone."""
    with attacked.start():
        model = model_of(attacked, "heart")
        mallory.create(HEART_MODEL, model)
        attacked.wait_serving("1", seconds=60)
        name = f"{attacked.namespace}.heart"
        known = attacked.registry.versions[name]["1"]
        forged_version = attacked.registry.register_by_hand(name, trigger=known.trigger)
        poll("it waits", lambda: attacked.status().get("candidate", {}).get("phase") == "AwaitingApproval", 60)
        candidate = attacked.status()["candidate"]
        assert (candidate["version"], candidate["origin"]) == (forged_version, "Outside")
        assert "it carries no seal" in candidate["message"]
        assert attacked.serving() == "1"


def model_of(world: World, name: str) -> Resource:
    return attacked_model(world.namespace, name)


def is_ready(api: KubeApi, namespace: str) -> bool:
    found = api.get(HEART_MODEL, namespace, "heart") or {}
    conditions = found.get("status", {}).get("conditions", [])
    return ("Ready", "True") in {(entry["type"], entry["status"]) for entry in conditions}


def objects(api: KubeApi, namespace: str) -> list[Resource]:
    """Everything there that belongs to a model."""
    kinds = [kind for kind in BY_NAME.values() if kind.kind not in ("HTTPRoute", "TrainJob")]  # without a CRD here
    return [
        {"apiVersion": kind.api_version, "kind": kind.kind, **item}
        for kind in kinds
        for item in api.list(kind, namespace, Label.MODEL)
    ]


def picture(api: KubeApi, namespace: str) -> dict[tuple[str, str], Resource]:
    """What is there and how it is wanted, whatever became of it."""
    return {
        (item["kind"], item["metadata"]["name"]): {"uid": item["metadata"]["uid"], "spec": item.get("spec")}
        for item in objects(api, namespace)
    }
