"""Children that lost their HeartModel and are taken over: after `kubectl delete --cascade=orphan`, or a restore that
gave the model another uid.

Whoever may create an object may also write our ownerReference into it, so adoption gives nobody a new power, as long as
nothing of a found object is kept that we did not put there. Therefore all that a person may set is replaced by what we
would build. A Job cannot be changed, and its result is believed: only one that is older than the model is adopted, so
that nobody can put a Job into the place of one that this model has lost.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import (
    FIELD_MANAGER,
    GROUP,
    Annotation,
    Component,
    Label,
    auth_config_name,
    callers_policy_name,
    candidate_service_name,
    child_name,
    deployment_name,
    fleet_service_name,
    mirror_config_name,
    pods_service_name,
    service_account_name,
)
from heart_operator.manifests.children import key_of
from heart_operator.manifests.common import owner
from heart_operator.plan.actions import Adopt
from heart_operator.plan.objects.drift_correction import version_deployment
from heart_operator.plan.observed import Observed
from heart_operator.plan.versions import of_deployment

KEPT = {
    "Deployment": ("replicas",),
    "Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
}
"""Fields of the spec that others decide, or that cannot be changed."""
JOB_HASH = re.compile(r"[0-9a-f]{8}")
JOB_NAME = 52
"""Longest name of a Job (heart_api.names.training_job_name)."""


# --- which objects ------------------------------------------------------------------------------------------


def is_orphan(item: Manifest, model: HeartModel, created: str) -> bool:
    """Whether the object is a child of this model by its labels and name, and has no living owner.

    `created`: the model's creationTimestamp. An owner of our kind and the model's name but another uid is dead: no two
    models of a namespace have one name.
    """
    meta = item["metadata"]
    labels = meta.get("labels") or {}
    marked = labels.get(Label.MODEL) == model.name and labels.get(Label.MANAGED_BY) == FIELD_MANAGER
    owners = meta.get("ownerReferences") or ()
    return (
        marked
        and "deletionTimestamp" not in meta
        and all(is_dead(reference, model) for reference in owners)
        and has_our_name(item, model.name)
        and (item["kind"] != "Job" or meta["creationTimestamp"] < created)
    )


def is_dead(reference: Mapping[str, Any], model: HeartModel) -> bool:
    group = str(reference.get("apiVersion", "")).partition("/")[0]
    same_name = (group, reference.get("kind"), reference.get("name")) == (GROUP, "HeartModel", model.name)
    return same_name and reference.get("uid") != model.uid


def has_our_name(item: Manifest, model: str) -> bool:
    """Whether a child of the model has this name; labels are easily copied, names are not."""
    kind, meta = item["kind"], item["metadata"]
    if kind == "Job":
        return Annotation.TRIGGER in (meta.get("annotations") or {}) and is_job_name(meta["name"], model)
    if kind == "Deployment":
        version = meta["labels"].get(Label.MODEL_VERSION, "")
        return bool(version) and meta["name"] == deployment_name(model, version)
    return meta["name"] in names_of(kind, model)


def names_of(kind: str, model: str) -> set[str]:
    match kind:
        case "ServiceAccount":
            return {service_account_name(model)}
        case "Service":
            return {model, pods_service_name(model), candidate_service_name(model), fleet_service_name(model)}
        case "ConfigMap":
            return {mirror_config_name(model), auth_config_name(model)}
        case "NetworkPolicy":
            parts = (Component.SERVING, Component.TRAINING, Component.CHECK)
            return {callers_policy_name(model), *(child_name(model, part) for part in parts)}
        case _:
            return {model}


def is_job_name(name: str, model: str) -> bool:
    """Whether a training or evaluation Job of the model, whatever uid it had, has this name."""
    for what in ("train", "evaluate"):
        whole = f"{model}-{what}-"
        fits = len(whole) + 8 <= JOB_NAME
        stem = whole if fits else f"{(whole + '0' * 8)[: JOB_NAME - 9].rstrip('-.')}-"
        if name.startswith(stem) and JOB_HASH.fullmatch(name.removeprefix(stem)):
            return True
    return False


# --- what becomes of them -----------------------------------------------------------------------------------


def plan_adoption(observed: Observed, children: Iterable[Manifest], but: Iterable[ObjectKey] = ()) -> tuple[Adopt, ...]:
    """Orphans to take over. `children`: what should live besides Jobs and Deployments. `but`: what is to be deleted."""
    wanted = {key_of(child): child for child in children}
    for deployment in observed.deployments:
        if built := version_deployment(observed, of_deployment(deployment)):
            wanted[key_of(built)] = built
    gone = set(but)
    found = []
    for key in sorted(observed.orphans - gone, key=str):
        living = observed.children[key]
        if key.kind == "Job":
            found.append(Adopt(key, owned_by(observed.model, living)))
        elif key in wanted:
            found.append(Adopt(key, (*owned_by(observed.model, living), *replaced(living, wanted[key]))))
    return tuple(found)


def owned_by(model: HeartModel, living: Manifest) -> tuple[dict[str, Any], ...]:
    """A JSON Patch that makes the model the only owner, if the object still is what was observed (else Conflict)."""
    return (
        {"op": "add", "path": "/metadata/resourceVersion", "value": living["metadata"]["resourceVersion"]},
        {"op": "add", "path": "/metadata/ownerReferences", "value": [owner(model)]},
    )


def replaced(living: Manifest, wanted: Manifest) -> Iterable[dict[str, Any]]:
    """A JSON Patch that leaves nothing of the object but its identity and what others decide."""
    for part in ("labels", "annotations"):
        yield from member(f"/metadata/{part}", living["metadata"].get(part), wanted["metadata"].get(part))
    for name in sorted((living.keys() | wanted.keys()) - {"apiVersion", "kind", "metadata", "status"}):
        yield from member(
            f"/{name}", living.get(name), with_kept(living, wanted) if name == "spec" else wanted.get(name)
        )


def member(path: str, living: Any, wanted: Any) -> Iterable[dict[str, Any]]:
    if wanted is not None:
        yield {"op": "add", "path": path, "value": wanted}
    elif living is not None:
        yield {"op": "remove", "path": path}


def with_kept(living: Manifest, wanted: Manifest) -> dict[str, Any] | None:
    if "spec" not in wanted:
        return None
    spec = living.get("spec") or {}
    return {**wanted["spec"], **{name: spec[name] for name in KEPT.get(wanted["kind"], ()) if name in spec}}
