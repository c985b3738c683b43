"""A TrainJob of Kubeflow in place of an Indexed Job: what is read of it, and which of its pods are believed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from heart_api.handover import TrainingFailure, TrainingOutcome, TrainingResult
from heart_api.names import Annotation, Label
from heart_api.profile import RuntimeProfile, TrainingPods, TrainJobRuntime
from heart_operator.manifests.training_job import build_training_job
from heart_operator.observe.children import own_pods
from heart_operator.observe.jobs import parse_job
from heart_operator.observe.own_jobs import is_rebuilt, rebuild_for_model, sort_jobs
from heart_operator.observe.train_jobs import JOB_SET, as_job, template_digest
from tests.support.plan.world import PROFILE, heart_model

SEVERAL = {"algorithms": ["xgboost"], "scale": {"mode": "Distributed", "workers": 2}}
MODEL = heart_model({"dataset": {"uri": "pvc://cohorts/2024/", "format": "parquet"}, "training": SEVERAL})
KUBEFLOW = PROFILE.model_copy(update={"training": TrainingPods(train_job=TrainJobRuntime(runtime="heartops"))})
QUEUED = PROFILE.model_copy(
    update={"training": TrainingPods(train_job=TrainJobRuntime(runtime="heartops"), queue_name="trainings")}
)
TRIGGER = "0a1b2c3d"
RESULT = TrainingResult(version="1", run_id="r", artifact_sha256="a" * 64, evaluation_sha256="e" * 64)
Edit = Callable[[dict[str, Any]], Any]


def stored(profile: RuntimeProfile = KUBEFLOW, **status: Any) -> dict[str, Any]:
    """As the API server returns it, with what Kueue adds."""
    found = copy.deepcopy(build_training_job(MODEL, profile, TRIGGER, None, 1))
    found["metadata"] |= {"uid": "t", "creationTimestamp": "2026-01-01T00:00:00Z"}
    patch = {"manager": "kueue.x-k8s.io/manager", "trainingRuntimeSpec": {"template": {}}}
    found["spec"] |= {"managedBy": "trainer.kubeflow.org/trainjob-controller"}
    found["spec"]["runtimePatches"] += [patch]
    return found | {"status": status}


def ended(kind: str, reason: str) -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": "2026-01-01T01:00:00Z"}


def pod(found: dict[str, Any], outcome: TrainingOutcome | None = None) -> dict[str, Any]:
    """As Trainer, JobSet and the Job controller make it of the example's runtime."""
    name, trainer = found["metadata"]["name"], found["spec"]["trainer"]
    jobs = found["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    template = copy.deepcopy(jobs[0]["template"]["spec"]["template"])
    index = {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}
    added = [
        {"name": "DMLC_TRACKER_URI", "value": f"{name}-node-0-0.{name}"},
        {"name": "DMLC_TRACKER_PORT", "value": "29500"},
        {"name": "DMLC_TASK_ID", "valueFrom": index},
        {"name": "DMLC_NUM_WORKER", "value": "2"},
        {"name": "JOB_COMPLETION_INDEX", "valueFrom": index},
    ]
    container = template["spec"]["containers"][0] | {
        "image": trainer["image"],
        "command": trainer["command"],
        "env": [*added, *reversed(trainer["env"])],
        "envFrom": [{"secretRef": {"name": "heartops-runtime", "optional": True}}],
        "ports": [{"containerPort": 29500}],
        "resources": trainer["resourcesPerNode"],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    spec = {**template["spec"], "automountServiceAccountToken": False, "restartPolicy": "Never", "subdomain": name}
    message = outcome.model_dump_json(by_alias=True, exclude_none=True) if outcome else ""
    ends = {"terminated": {"exitCode": 0, "reason": "Completed", "message": message}}
    owner = {"kind": "Job", "name": f"{name}-node-0", "uid": "j", "controller": True}
    labels = template["metadata"]["labels"] | {JOB_SET: name}
    return {
        "metadata": {"labels": labels, "ownerReferences": [owner], "creationTimestamp": "2026-01-01T00:00:09Z"},
        "spec": spec | {"containers": [container]},
        "status": {"phase": "Succeeded", "containerStatuses": [{"name": "node", "state": ends}]},
    }


def test_the_train_job_has_what_the_job_would_and_leaves_the_meeting_place_to_its_runtime() -> None:
    found = build_training_job(MODEL, KUBEFLOW, TRIGGER, None)
    spec = found["spec"]
    assert spec["runtimeRef"]["name"] == "heartops"
    assert spec["trainer"]["numNodes"] == 2
    assert spec["activeDeadlineSeconds"] == MODEL.spec.training.timeout_seconds
    assert not [entry for entry in spec["trainer"]["env"] if entry["name"].startswith(("DMLC", "JOB_"))]
    assert len(f"{found['metadata']['name']}-node-0-0-abcde") <= 63
    assert "suspend" not in spec
    assert found["metadata"]["ownerReferences"][0]["uid"] == MODEL.uid


def test_a_long_name_leaves_room_for_those_of_its_pods() -> None:
    long = MODEL.model_copy(update={"name": "m" * 63})
    assert len(build_training_job(long, KUBEFLOW, TRIGGER, None)["metadata"]["name"]) == 44


def test_it_is_read_as_the_job_that_it_stands_for() -> None:
    job = parse_job(as_job(stored(), KUBEFLOW))
    assert (job.kind, job.trigger, job.attempt, job.phase, job.waiting) == ("TrainJob", TRIGGER, 1, "Running", True)
    assert not parse_job(as_job(stored(jobsStatus=[{"name": "node", "ready": 1}]), KUBEFLOW)).waiting
    found = stored(QUEUED)
    assert found["metadata"]["labels"][Label.QUEUE] == "trainings"
    assert as_job(found, QUEUED)["spec"]["suspend"] is True


def test_its_end_is_read_from_its_conditions_and_the_pods() -> None:
    complete = stored(conditions=[ended("Complete", "AllJobsCompleted")])
    job = as_job(complete, KUBEFLOW)
    found = parse_job(job, own_pods([pod(complete, TrainingOutcome(result=RESULT))], job))
    assert (found.phase, found.result) == ("Succeeded", RESULT)


@pytest.mark.parametrize(
    ("condition", "failure", "lost"),
    [
        (ended("Failed", "FailedJobs"), None, True),
        (ended("Failed", "FailedJobs"), TrainingFailure(reason="DataInvalid", message="row group 3"), False),
        (ended("Failed", "FailedJobs"), TrainingFailure(reason="TrainingInterrupted", message="worker 1"), True),
        (ended("Failed", "DeadlineExceeded"), None, False),
        (ended("Failed", "TrainingRuntimeNotSupported"), None, False),
    ],
)
def test_only_a_lost_worker_is_tried_again(
    condition: dict[str, Any], failure: TrainingFailure | None, lost: bool
) -> None:
    found = stored(conditions=[condition])
    job = as_job(found, KUBEFLOW)
    outcome = TrainingOutcome(failure=failure) if failure else None
    parsed = parse_job(job, own_pods([pod(found, outcome)], job))
    assert (parsed.phase, parsed.lost) == ("Failed", lost)


def owner(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"uid": MODEL.uid}, "status": {"jobs": list(jobs)}}


def trainer(found: dict[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = found["spec"]["trainer"]
    return wanted


def template(found: dict[str, Any]) -> dict[str, Any]:
    jobs = found["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    wanted: dict[str, Any] = jobs[0]["template"]["spec"]["template"]
    return wanted


EDITS: dict[str, Edit] = {
    "another image": lambda found: trainer(found).update(image="evil:1"),
    "another command": lambda found: trainer(found).update(command=["sh"]),
    "arguments": lambda found: trainer(found).update(args=["-c", "true"]),
    "one more variable": lambda found: trainer(found)["env"].append({"name": "LD_PRELOAD", "value": "/x.so"}),
    "no trainer": lambda found: found["spec"].pop("trainer"),
    "no patch": lambda found: found["spec"].pop("runtimePatches"),
    "another volume": lambda found: template(found)["spec"]["volumes"].append({"name": "x", "emptyDir": {}}),
    "another account": lambda found: template(found)["spec"].update(serviceAccountName="admin"),
    "another trigger": lambda found: template(found)["metadata"]["annotations"].update({Annotation.TRIGGER: "x"}),
}


def test_ours_is_believed_by_its_recorded_template_or_because_it_would_be_built_today() -> None:
    found = stored()
    recorded = owner({"name": found["metadata"]["name"], "uid": "t", "template": template_digest(found)})
    job = as_job(found, KUBEFLOW)
    assert sort_jobs([job], recorded, lambda job: None).ours == (job,)
    assert is_rebuilt(job, rebuild_for_model(MODEL, KUBEFLOW))


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_template_is_another_train_job(edit: Edit) -> None:
    found = stored()
    recorded = owner({"name": found["metadata"]["name"], "uid": "t", "template": template_digest(found)})
    edit(found)
    job = as_job(found, KUBEFLOW)
    assert sort_jobs([job], recorded, rebuild_for_model(MODEL, KUBEFLOW)).foreign == (job,)


def container(found: dict[str, Any]) -> dict[str, Any]:
    wanted: dict[str, Any] = found["spec"]["containers"][0]
    return wanted


def variable(found: dict[str, Any], name: str) -> dict[str, Any]:
    wanted: dict[str, Any] = next(entry for entry in container(found)["env"] if entry["name"] == name)
    return wanted


FORGERIES: dict[str, Edit] = {
    "another image": lambda found: container(found).update(image="evil:1"),
    "another command": lambda found: container(found).update(command=["sh"]),
    "arguments": lambda found: container(found).update(args=["x"]),
    "another variable": lambda found: container(found)["env"].append({"name": "LD_PRELOAD", "value": "/x.so"}),
    "another meeting place": lambda found: variable(found, "DMLC_TRACKER_URI").update(value="evil.example"),
    "other workers": lambda found: variable(found, "DMLC_NUM_WORKER").update(value="1"),
    "a number of its own choice": lambda found: variable(found, "DMLC_TASK_ID").update(
        valueFrom={"fieldRef": {"fieldPath": "metadata.labels['x']"}}
    ),
    "another Secret": lambda found: container(found).update(envFrom=[{"secretRef": {"name": "evil"}}]),
    "no Secret": lambda found: container(found).pop("envFrom"),
    "another mount": lambda found: container(found)["volumeMounts"].append({"name": "tmp", "mountPath": "/opt"}),
    "a message from elsewhere": lambda found: container(found).update(terminationMessagePath="/tmp/x"),
    "one more trainer": lambda found: found["spec"]["containers"].append({"name": "trainer", "image": "evil:1"}),
    "a container that shares a volume": lambda found: found["spec"].update(
        initContainers=[{"name": "x", "image": "evil:1", "volumeMounts": [{"name": "tmp", "mountPath": "/t"}]}]
    ),
    "a token": lambda found: found["spec"].update(automountServiceAccountToken=True),
    "other names of hosts": lambda found: found["spec"].update(hostAliases=[{"ip": "1.2.3.4", "hostnames": ["m"]}]),
    "shared processes": lambda found: found["spec"].update(shareProcessNamespace=True),
}


def test_a_pod_of_the_runtime_is_believed() -> None:
    found = stored()
    assert len(own_pods([pod(found)], as_job(found, KUBEFLOW))) == 1


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_pod_that_runs_anything_else_is_not(forge: Edit) -> None:
    found = stored()
    forged = pod(found)
    forge(forged)
    assert own_pods([forged], as_job(found, KUBEFLOW)) == []
