"""The pod with a trainer of one's own: what the program that is not ours can reach, and when it runs."""

from typing import Any

import pytest

from heart_api.handover import EXIT_PERMANENT, Env, TrainingRequest
from heart_api.profile import ApprovedTrainer
from heart_api.resources import Amounts
from heart_operator.manifests.common import TOKEN_VOLUME
from heart_operator.manifests.evaluation_job import build_evaluation_job
from heart_operator.manifests.training_job import build_training_job
from tests.support.plan.world import PROFILE, heart_model

IMAGE = "registry.example.org/lightgbm:1.0"
APPROVED = ApprovedTrainer(image=IMAGE, command=("python3", "/opt/trainer.py"), caps=Amounts(cpu="1", memory="2Gi"))
OWN = PROFILE.model_copy(update={"trainers": {"ours": APPROVED}, "tracking_auth": "Kubernetes"})
TRAINING = {"trainer": "ours", "holdout": 0.25, "parameters": {"num_leaves": 7}, "timeoutSeconds": 1000}
MODEL = heart_model({"dataset": {"uri": "pvc://data/heart.csv"}, "training": TRAINING})


@pytest.fixture
def pod() -> dict[str, Any]:
    job = build_training_job(MODEL, OWN, "trigger", None)
    found: dict[str, Any] = job["spec"]["template"]["spec"]
    return found


@pytest.fixture
def theirs(pod: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = pod["initContainers"][1]
    return container


def _mounts(container: dict[str, Any]) -> dict[str, bool]:
    """Volume → whether it can be written."""
    return {mount["name"]: not mount.get("readOnly", False) for mount in container["volumeMounts"]}


def test_their_program_runs_after_ours_has_ended_and_before_ours_begins(pod: dict[str, Any]) -> None:
    assert [container["name"] for container in pod["initContainers"]] == ["prepare", "own-trainer"]
    assert [container["name"] for container in pod["containers"]] == ["trainer"]
    assert [container["image"] for container in pod["initContainers"]] == [OWN.images.trainer, IMAGE]
    assert not any("restartPolicy" in container for container in pod["initContainers"])  # no sidecar


def test_their_program_gets_no_secret_no_token_and_no_volume_of_ours(
    pod: dict[str, Any], theirs: dict[str, Any]
) -> None:
    assert "envFrom" not in theirs
    assert _mounts(theirs) == {"own-rows": False, "own-results": True, "own-launcher": False, "own-tmp": True}
    ours = {name for each in (*pod["containers"], pod["initContainers"][0]) for name in _mounts(each)}
    assert {"tmp", "data", TOKEN_VOLUME} <= ours
    assert pod["automountServiceAccountToken"] is False
    assert "shareProcessNamespace" not in pod
    values = " ".join(variable["value"] for variable in theirs["env"])
    assert not any(word in values for word in (OWN.tracking_uri, "pvc://", "num_leaves"))


def test_their_program_is_started_by_our_launcher_as_another_user(theirs: dict[str, Any]) -> None:
    command = theirs["command"]
    assert command[0] == "/heartops/own-launcher/ld.so"
    assert command[command.index("/heartops/own-launcher/launch.py") + 1 :] == [
        "750",
        str(1 << 30),
        "/heartops/own-results/report.json",
        "python3",
        "/opt/trainer.py",
    ]
    security = theirs["securityContext"]
    assert security["runAsUser"] == 65533
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_no_library_of_their_image_gets_into_the_launcher(theirs: dict[str, Any]) -> None:
    variables = {variable["name"]: variable["value"] for variable in theirs["env"]}
    assert (variables["LD_PRELOAD"], variables["LD_AUDIT"]) == ("", "")
    (masked,) = [mount for mount in theirs["volumeMounts"] if mount.get("subPath")]
    assert (masked["mountPath"], masked["subPath"], masked["readOnly"]) == ("/etc/ld.so.preload", "nothing", True)


def test_every_volume_that_their_program_can_fill_is_bounded(pod: dict[str, Any], theirs: dict[str, Any]) -> None:
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    writable = [name for name, can_write in _mounts(theirs).items() if can_write]
    assert writable
    assert all(volumes[name]["emptyDir"]["sizeLimit"] for name in writable)


def test_profile_caps_their_container() -> None:
    greedy = heart_model({"training": {**TRAINING, "resources": {"limits": {"cpu": "3", "memory": "7Gi"}}}})
    pod = build_training_job(greedy, OWN, "trigger", None)["spec"]["template"]["spec"]
    assert pod["initContainers"][1]["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "7Gi"


def test_ours_write_what_theirs_reads_and_read_what_it_writes(pod: dict[str, Any]) -> None:
    prepare, judge = pod["initContainers"][0], pod["containers"][0]
    assert prepare["args"] == ["prepare"]
    assert {"own-rows": True, "own-launcher": True}.items() <= _mounts(prepare).items()
    assert TOKEN_VOLUME not in _mounts(prepare)
    assert {"own-rows": False, "own-results": False}.items() <= _mounts(judge).items()
    for container in (prepare, judge):
        variables = {variable["name"]: variable["value"] for variable in container["env"]}
        request = TrainingRequest.model_validate_json(variables[Env.TRAINING_REQUEST])
        assert request.trainer_image == IMAGE
        assert request.training.parameters == {"num_leaves": 7}


def test_bad_rows_end_the_job_in_the_first_container_too() -> None:
    rules = build_training_job(MODEL, OWN, "trigger", None)["spec"]["podFailurePolicy"]["rules"]
    stops = [rule["onExitCodes"] for rule in rules if rule["action"] == "FailJob"]
    assert [stop["containerName"] for stop in stops] == ["trainer", "prepare"]
    assert all(stop["values"] == [EXIT_PERMANENT] for stop in stops)


def test_measuring_a_version_that_exists_runs_no_program_of_theirs() -> None:
    job = build_evaluation_job(MODEL, OWN, "evaluate-8-5e6f7a8b", "8", None)
    assert "initContainers" not in job["spec"]["template"]["spec"]
