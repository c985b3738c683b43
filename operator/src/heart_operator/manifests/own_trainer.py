"""The pod of a training whose model an approved trainer fits (docs/own-trainer.md).

Its containers run one after the other: ours prepares rows, then theirs fits, then ours judges. While theirs runs, no
process of ours does; the Secret, the token, the dataset and the rows that judge are in no container's reach.
"""

from typing import Any

from heart_api.handover import Env
from heart_api.heartmodel import HeartModel
from heart_api.owntrainer import NOTHING, OWN, PREPARE, launcher_command, launcher_limits
from heart_api.profile import ApprovedTrainer, RuntimeProfile
from heart_api.quantities import bounded
from heart_api.resources import Resources
from heart_operator.manifests.common import TOKEN_VOLUME, container_defaults, cores_of, env, thread_limits

OTHERS = 65533
"""The user of a program that is not ours: it owns nothing that the others wrote."""
FOLDER = "/heartops"
ROWS, RESULTS, LAUNCHER, THEIR_TMP = "own-rows", "own-results", "own-launcher", "own-tmp"
VOLUMES = [
    {"name": ROWS, "emptyDir": {"sizeLimit": "10Gi"}},
    {"name": RESULTS, "emptyDir": {"sizeLimit": "2Gi"}},
    {"name": LAUNCHER, "emptyDir": {"sizeLimit": "256Mi"}},
    {"name": THEIR_TMP, "emptyDir": {"sizeLimit": "4Gi"}},
]
UNSET = {"LD_PRELOAD": "", "LD_AUDIT": ""}
"""The image's values would load its libraries into the launcher, before there is a filter."""


def with_own_trainer(
    pod: dict[str, Any], model: HeartModel, profile: RuntimeProfile, default: Resources
) -> dict[str, Any]:
    """A training's pod with the two containers that come first; unchanged for a model without a trainer of its own."""
    approved = profile.trainers.get(model.spec.training.trainer or "")
    if approved is None:
        return pod
    (judging,) = pod["containers"]
    return {
        **pod,
        "initContainers": [_preparing(judging), _program(approved, model, profile, default)],
        "containers": [_judging(judging)],
        "volumes": [*pod["volumes"], *VOLUMES],
    }


def _preparing(container: dict[str, Any]) -> dict[str, Any]:
    """Ours: everything but the token for MLflow, which it does not need."""
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] != TOKEN_VOLUME]
    return {
        **container,
        "name": PREPARE,
        "args": ["prepare"],
        "env": [*container["env"], *env(_folders(Env.OWN_ROWS, Env.OWN_LAUNCHER))],
        "volumeMounts": [*mounts, _mount(ROWS), _mount(LAUNCHER)],
    }


def _judging(container: dict[str, Any]) -> dict[str, Any]:
    """Ours: reads what it prepared and what came back, and writes neither."""
    return {
        **container,
        "env": [*container["env"], *env(_folders(Env.OWN_ROWS, Env.OWN_RESULTS))],
        "volumeMounts": [*container["volumeMounts"], _mount(ROWS, True), _mount(RESULTS, True)],
    }


def _program(
    approved: ApprovedTrainer, model: HeartModel, profile: RuntimeProfile, default: Resources
) -> dict[str, Any]:
    """Theirs, started by our launcher. It gets no Secret, no token, no scratch space of ours and another user."""
    training = model.spec.training
    resources = bounded(training.resources, default, approved.caps)
    limits = launcher_limits(training.timeout_seconds, f"{FOLDER}/{RESULTS}")
    variables = {"HOME": "/tmp", **thread_limits(cores_of(resources)), **UNSET}  # noqa: S108  a mount of its own
    found = container_defaults(approved.image, profile, resources)
    return {
        **found,
        "name": OWN,
        "command": [*launcher_command(f"{FOLDER}/{LAUNCHER}"), *limits, *approved.command],
        "env": env({**variables, **_folders(Env.OWN_ROWS, Env.OWN_RESULTS)}),
        "volumeMounts": [
            _mount(ROWS, True),
            _mount(RESULTS),
            _mount(LAUNCHER, True),
            # A list of libraries in the image that every program would load, the launcher among them.
            {"name": LAUNCHER, "mountPath": "/etc/ld.so.preload", "subPath": NOTHING, "readOnly": True},
            {"name": THEIR_TMP, "mountPath": "/tmp"},  # noqa: S108  a mount of its own
        ],
        "securityContext": {**found["securityContext"], "runAsUser": OTHERS, "runAsGroup": OTHERS},
    }


def _folders(*variables: str) -> dict[str, str]:
    places = {Env.OWN_ROWS: ROWS, Env.OWN_RESULTS: RESULTS, Env.OWN_LAUNCHER: LAUNCHER}
    return {variable: f"{FOLDER}/{places[variable]}" for variable in variables}


def _mount(volume: str, read_only: bool = False) -> dict[str, Any]:
    mount: dict[str, Any] = {"name": volume, "mountPath": f"{FOLDER}/{volume}"}
    return mount | {"readOnly": True} if read_only else mount
