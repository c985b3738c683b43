"""Which Jobs and pods are believed: what a copied owner reference is worth."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from heart_api.checks import CheckOrder
from heart_api.heartmodel import HeartModel, HeartModelStatus, ServingStatus
from heart_api.names import Annotation
from heart_api.profile import ApprovedTrainer
from heart_api.retrainschedule import RetrainSchedule
from heart_operator.manifests.check_job import build_check_job, build_ordered_check
from heart_operator.manifests.evaluation_job import build_evaluation_job
from heart_operator.manifests.training_job import build_training_job
from heart_operator.observe.own_jobs import (
    Rebuild,
    is_rebuilt,
    rebuild_for_model,
    rebuild_for_schedule,
    recorded,
    sort_jobs,
)
from heart_operator.observe.pod_templates import is_made_from
from tests.support.plan.world import PROFILE, heart_model

SERVING = ServingStatus(version="7", digest="sha256:" + "a" * 64, since="2026-01-02T00:00:00Z")
MODEL = heart_model({"dataset": {"uri": "pvc://data/heart.csv"}}).model_copy(
    update={"status": HeartModelStatus(serving=SERVING)}
)
NEXT = HeartModelStatus(serving=SERVING.model_copy(update={"version": "8"}))
SCHEDULE = RetrainSchedule.model_validate(
    {
        "namespace": "clinic",
        "name": "nightly",
        "uid": "r",
        "created": "2026-01-01T00:00:00Z",
        "spec": {"modelName": "heart", "drift": {"anyFeature": True}},
    }
)
TIME = datetime(2026, 1, 3, 6, tzinfo=UTC)
APPROVED = PROFILE.model_copy(update={"trainers": {"ours": ApprovedTrainer(image="registry.example.org/ours:1")}})
OWN = heart_model({"training": {"trainer": "ours", "holdout": 0.25}})
OWN_JOB = build_training_job(OWN, APPROVED, "0a1b2c3d-s20260103T000000Z", None)
ORDER = CheckOrder(id="1", since="2026-01-02T00:00:00Z", until="2026-01-03T00:00:00Z", where={"site": "a"})
JOBS = {
    "training": build_training_job(MODEL, PROFILE, "0a1b2c3d-s20260103T000000Z", None),
    "evaluation": build_evaluation_job(MODEL, PROFILE, "evaluate-8-5e6f7a8b-v7", "8", None),
    "check": build_check_job(SCHEDULE, MODEL, PROFILE, TIME),
    "ordered check": build_ordered_check(MODEL, PROFILE, ORDER),
}
Edit = Callable[[dict[str, Any]], Any]


def stored(job: dict[str, Any], uid: str = "j") -> dict[str, Any]:
    """As the API server returns it: with defaults, less empty texts, and quantities its own way."""
    job = copy.deepcopy(job)
    job["metadata"]["uid"] = uid
    job["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] = job["metadata"]["name"]
    pod = pod_of(job)
    pod |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30}
    pod["serviceAccount"] = pod["serviceAccountName"]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        container["resources"] = {"limits": {"cpu": "1"}}
        for variable in container["env"]:
            if variable.get("value") == "":
                del variable["value"]
    return job


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def trainer(job: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = pod_of(job)["containers"][0]
    return container


def rebuild(kind: str, model: HeartModel = MODEL) -> Rebuild:
    return rebuild_for_schedule(SCHEDULE, model, PROFILE) if kind == "check" else rebuild_for_model(model, PROFILE)


@pytest.mark.parametrize("kind", JOBS)
def test_a_job_that_a_crash_left_unrecorded_is_known_by_what_it_runs(kind: str) -> None:
    assert is_rebuilt(stored(JOBS[kind]), rebuild(kind))


@pytest.mark.parametrize("kind", JOBS)
def test_it_is_known_although_another_version_serves_by_now(kind: str) -> None:
    assert is_rebuilt(stored(JOBS[kind]), rebuild(kind, MODEL.model_copy(update={"status": NEXT})))


def test_a_job_of_an_earlier_uid_is_known_under_its_own_name() -> None:
    assert is_rebuilt(stored(JOBS["training"]), rebuild("training", MODEL.model_copy(update={"uid": "u-2"})))


def set_variable(job: dict[str, Any], **values: str) -> None:
    trainer(job)["env"] += [{"name": name, "value": value} for name, value in values.items()]


FORGERIES: dict[str, Edit] = {
    "another image": lambda job: trainer(job).update(image="evil:1"),
    "a command": lambda job: trainer(job).update(command=["sh", "-c", "echo forged >/dev/termination-log"]),
    "other arguments": lambda job: trainer(job).update(args=["evaluate", "--help"]),
    "a hook": lambda job: trainer(job).update(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
    "one more variable": lambda job: set_variable(job, PYTHONPATH="/data"),
    "another MLflow": lambda job: set_variable(job, MLFLOW_TRACKING_URI="http://evil"),
    "another Secret": lambda job: trainer(job)["envFrom"].append({"secretRef": {"name": "evil"}}),
    "no Secret": lambda job: trainer(job).update(envFrom=[]),
    "one more container": lambda job: pod_of(job)["containers"].append({"name": "evil", "image": "evil:1"}),
    "an init container": lambda job: pod_of(job).update(initContainers=[{"name": "evil", "image": "evil:1"}]),
    "a prepared volume": lambda job: pod_of(job)["volumes"][0].update(configMap={"name": "evil"}),
    "one more volume": lambda job: pod_of(job)["volumes"].append({"name": "evil", "configMap": {"name": "evil"}}),
    "another account": lambda job: pod_of(job).update(serviceAccountName="admin"),
    "a token of the API server": lambda job: pod_of(job).update(automountServiceAccountToken=True),
    "other host names": lambda job: pod_of(job).update(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["mlflow"]}]),
    "no container": lambda job: pod_of(job).update(containers=[]),
    "no trigger": lambda job: job["spec"]["template"]["metadata"].pop("annotations"),
}


@pytest.mark.parametrize("kind", JOBS)
@pytest.mark.parametrize("name", FORGERIES)
def test_a_copied_owner_reference_is_worth_nothing(kind: str, name: str) -> None:
    forged = stored(JOBS[kind])
    FORGERIES[name](forged)
    assert not is_rebuilt(forged, rebuild(kind))


@pytest.mark.parametrize("kind", JOBS)
def test_another_request_is_no_request_of_ours(kind: str) -> None:
    forged = stored(JOBS[kind])
    variable = trainer(forged)["env"][0]
    variable["value"] = variable["value"].replace('"age"', '"aga"')
    assert not is_rebuilt(forged, rebuild(kind))


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", '{"serving": 3}'])
def test_a_request_that_is_none_is_no_error(text: str) -> None:
    forged = stored(JOBS["training"])
    trainer(forged)["env"][0]["value"] = text
    assert not is_rebuilt(forged, rebuild("training"))


def test_an_edited_annotation_of_the_job_changes_nothing() -> None:
    """The trigger is read from the template, which nobody can change."""
    job = stored(JOBS["training"])
    job["metadata"]["annotations"] = {Annotation.TRIGGER: "ffffffff"}
    assert is_rebuilt(job, rebuild("training"))


def owner(**status: Any) -> dict[str, Any]:
    return {"metadata": {}, "status": status}


def test_the_uid_in_the_status_decides_whatever_the_profile_is_by_now() -> None:
    ours, copied = stored(JOBS["training"], "j1"), stored(JOBS["training"], "j2")
    found = sort_jobs((ours, copied), owner(jobs=[{"name": "x", "uid": "j1"}]), lambda job: None)
    assert (found.ours, found.foreign) == ((ours,), (copied,))


def test_only_a_status_of_an_earlier_operator_is_believed_once() -> None:
    assert recorded(owner(observedGeneration=3)) is None
    assert recorded({"metadata": {}}) == {}, "a new model: nobody created a Job for it yet"
    assert recorded(owner(observedGeneration=3, jobs=[])) == {}


# --- pods ---------------------------------------------------------------------------------------------------


def pod(job: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """As the Job controller makes it, with what admission adds."""
    made = copy.deepcopy(pod_of(job)) | {"nodeName": "n", "tolerations": [{"key": "not-ready"}]} | spec
    made["containers"][0] |= {"imagePullPolicy": "Always"}
    reference = {"kind": "Job", "name": job["metadata"]["name"], "uid": "j", "controller": True}
    return {"metadata": {"ownerReferences": [reference]}, "spec": made}


MESH = {"name": "proxy", "image": "mesh:1", "volumeMounts": [{"name": "mesh", "mountPath": "/etc/mesh"}]}


@pytest.mark.parametrize("kind", JOBS)
def test_the_jobs_own_pod_is_believed_also_with_a_service_mesh(kind: str) -> None:
    job = stored(JOBS[kind])
    assert is_made_from(pod(job), job)
    assert is_made_from(pod(job, initContainers=[MESH]), job)


PODS: dict[str, Edit] = {
    "of nobody": lambda pod: pod["metadata"].clear(),
    "of another Job": lambda pod: pod["metadata"]["ownerReferences"][0].update(uid="k"),
    "not controlled": lambda pod: pod["metadata"]["ownerReferences"][0].update(controller=False),
    "another image": lambda pod: pod["spec"]["containers"][0].update(image="evil:1"),
    "a command": lambda pod: pod["spec"]["containers"][0].update(command=["sh"]),
    "one more variable": lambda pod: pod["spec"]["containers"][0]["env"].append({"name": "A", "value": "b"}),
    "another name": lambda pod: pod["spec"]["containers"][0].update(name="other"),
    "a prepared volume": lambda pod: pod["spec"]["volumes"][0].update(configMap={"name": "evil"}),
    "a neighbour in its volume": lambda pod: pod["spec"].update(
        initContainers=[MESH | {"volumeMounts": [{"name": "tmp", "mountPath": "/x"}]}]
    ),
    "a debugger": lambda pod: pod["spec"].update(ephemeralContainers=[MESH | {"targetContainerName": "trainer"}]),
    "shared processes": lambda pod: pod["spec"].update(shareProcessNamespace=True),
    "another account": lambda pod: pod["spec"].update(serviceAccountName="admin"),
    "other host names": lambda pod: pod["spec"].update(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["mlflow"]}]),
}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_under_our_job_is_not_believed(name: str) -> None:
    job = stored(JOBS["training"])
    forged = pod(job)
    PODS[name](forged)
    assert not is_made_from(forged, job)


def own_init(item: dict[str, Any], index: int) -> dict[str, Any]:
    """An init container of a pod, or of a Job's template."""
    spec = pod_of(item) if "template" in item["spec"] else item["spec"]
    found: dict[str, Any] = spec["initContainers"][index]
    return found


def test_a_job_with_a_trainer_of_ones_own_is_known_by_all_its_containers() -> None:
    rebuilt = rebuild_for_model(OWN, APPROVED)
    assert is_rebuilt(stored(OWN_JOB), rebuilt)
    adopted = OWN.model_copy(update={"uid": "u-2"})
    assert is_rebuilt(stored(OWN_JOB), rebuild_for_model(adopted, APPROVED))
    for index, change in (
        (0, {"image": "evil:1"}),
        (1, {"image": "evil:1"}),
        (1, {"command": ["sh"]}),
        (1, {"envFrom": [{"secretRef": {"name": "heartops-runtime"}}]}),
    ):
        forged = stored(OWN_JOB)
        own_init(forged, index).update(change)
        assert not is_rebuilt(forged, rebuilt), change


OWN_PODS: dict[str, Edit] = {
    "another image that prepares": lambda pod: own_init(pod, 0).update(image="evil:1"),
    "another trainer": lambda pod: own_init(pod, 1).update(image="evil:1"),
    "a trainer without the launcher": lambda pod: own_init(pod, 1).update(command=["/trainer"]),
    "a trainer with the Secret": lambda pod: own_init(pod, 1).update(
        envFrom=[{"secretRef": {"name": "heartops-runtime"}}]
    ),
    "a trainer that stays": lambda pod: own_init(pod, 1).update(restartPolicy="Always"),
    "a trainer that can change the rows": lambda pod: own_init(pod, 1)["volumeMounts"][0].update(readOnly=False),
    "no preparation": lambda pod: pod["spec"]["initContainers"].pop(0),
    "a neighbour in the results": lambda pod: pod["spec"]["initContainers"].append(
        MESH | {"volumeMounts": [{"name": "own-results", "mountPath": "/x"}]}
    ),
}


def test_a_pod_with_a_trainer_of_ones_own_is_believed() -> None:
    job = stored(OWN_JOB)
    assert is_made_from(pod(job), job)
    assert is_made_from(pod(job, initContainers=[MESH, *pod_of(job)["initContainers"]]), job)


@pytest.mark.parametrize("name", OWN_PODS)
def test_a_pod_whose_trainer_was_replaced_is_not_believed(name: str) -> None:
    job = stored(OWN_JOB)
    forged = pod(job)
    OWN_PODS[name](forged)
    assert not is_made_from(forged, job)


WORKERS = heart_model(
    {
        "dataset": {"uri": "pvc://data/rows/", "format": "parquet"},
        "training": {"algorithms": ["xgboost"], "scale": {"mode": "Distributed", "workers": 2}},
    }
)


@pytest.mark.parametrize("attempt", [0, 2])
def test_an_attempt_of_several_pods_is_recognised_without_a_record(attempt: int) -> None:
    job = stored(build_training_job(WORKERS, PROFILE, "0a1b2c3d", None, attempt))
    assert is_rebuilt(job, rebuild("training", WORKERS))
    trainer(job)["env"].append({"name": "PYTHONPATH", "value": "/data"})
    assert not is_rebuilt(job, rebuild("training", WORKERS))


def test_a_pod_of_an_indexed_job_is_what_its_template_says() -> None:
    """The Job controller adds the index to the environment unless it is there: then pod and template are alike."""
    job = stored(build_training_job(WORKERS, PROFILE, "0a1b2c3d", None))
    pod = {"metadata": {"ownerReferences": [{"uid": "j", "controller": True}]}, "spec": copy.deepcopy(pod_of(job))}
    assert is_made_from(pod, job)
    names = [variable["name"] for variable in pod["spec"]["containers"][0]["env"]]
    assert "JOB_COMPLETION_INDEX" in names
