"""Whether two pod specs run the same. No I/O.

Stricter than `plan.objects.diff`, which ignores what others add: one more command, variable or volume is another
program.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from heart_api.kube.values import Manifest
from heart_operator.plan.objects.diff import same_scalar

DEFAULTED = frozenset({"defaultMode", "dnsPolicy", "schedulerName", "terminationGracePeriodSeconds", "serviceAccount"})
"""Fields that the API server fills in."""
LEFT_OPEN = frozenset({"resources", "imagePullPolicy", "securityContext"})
"""Fields of a pod's container that admission may change (LimitRanger, AlwaysPullImages, OpenShift), and that change no
result."""
PINNED = ("serviceAccountName", "automountServiceAccountToken", "hostAliases", "dnsConfig", "hostNetwork", "hostPID")
"""Fields of a pod that its Job's template decides."""


def same_template(wanted: Any, living: Any) -> bool:
    """Whether the API server may have made `living` of `wanted`. Resources do not count: quantities are rewritten."""
    if isinstance(wanted, Mapping) and isinstance(living, Mapping):
        names = {name for name in {*wanted, *living} if name != "resources" and name not in DEFAULTED - wanted.keys()}
        return all(same_template(wanted.get(name), living.get(name)) for name in names)
    if isinstance(wanted, list | tuple) and isinstance(living, list | tuple):
        return len(wanted) == len(living) and all(map(same_template, wanted, living))
    if is_unset(wanted) or is_unset(living):
        return is_unset(wanted) and is_unset(living)
    return same_scalar(wanted, living)


def is_unset(value: Any) -> bool:
    """The API server drops empty texts, lists and mappings."""
    return value is None or (not isinstance(value, bool | int | float) and len(value) == 0)


def is_made_from(pod: Manifest, job: Manifest) -> bool:
    """Whether the Job controls the pod, and the pod runs what the Job's template says.

    Containers that a service mesh adds are accepted as long as they share no volume and no processes with ours.
    """
    owners = pod["metadata"].get("ownerReferences") or ()
    if not any(owner.get("controller") and owner["uid"] == job["metadata"]["uid"] for owner in owners):
        return False
    template, spec = job["spec"]["template"]["spec"], pod.get("spec") or {}
    volumes = by_name(spec.get("volumes"))
    return (
        all(same_containers(template, spec, part) for part in ("containers", "initContainers"))
        and all(same_template(volume, volumes.get(name)) for name, volume in by_name(template.get("volumes")).items())
        and all(same_template(template.get(field), spec.get(field)) for field in PINNED)
        and not spec.get("shareProcessNamespace")
        and not any(reaches(other, template) for other in others(spec, template))
    )


def same_containers(template: Manifest, spec: Manifest, part: str) -> bool:
    """Whether every container of the template is there as it says."""
    living = by_name(spec.get(part))
    return all(same_container(container, living.get(name)) for name, container in by_name(template.get(part)).items())


def same_container(wanted: Manifest, living: Manifest | None) -> bool:
    if living is None:
        return False
    return same_template(
        *({name: value for name, value in one.items() if name not in LEFT_OPEN} for one in (wanted, living))
    )


def others(spec: Manifest, template: Manifest) -> Iterable[Manifest]:
    """Containers that the template does not have in that place."""
    for part in ("containers", "initContainers", "ephemeralContainers"):
        ours = by_name(template.get(part))
        yield from (container for name, container in by_name(spec.get(part)).items() if name not in ours)


def reaches(container: Manifest, template: Manifest) -> bool:
    """Whether the container shares a volume or the processes of one of ours."""
    volumes = by_name(template.get("volumes"))
    mounts = container.get("volumeMounts") or ()
    return bool(container.get("targetContainerName")) or any(mount["name"] in volumes for mount in mounts)


def by_name(items: Iterable[Manifest] | None) -> dict[str, Manifest]:
    return {item["name"]: item for item in items or ()}
