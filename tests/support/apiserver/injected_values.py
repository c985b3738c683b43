"""What of an attacker's words or wishes an object of ours has, as far as it could do harm there."""

import json
import re

from heart_api.quantities import amount
from tests.support.apiserver.attacks import CAPS, PROFILE
from tests.support.plan.changes import Resource

VARIABLE = re.compile(r"(?<!\$)(\$\$)*\$\(")
"""What Kubernetes would replace in a container's environment."""


def dangers(item: Resource) -> list[str]:
    """Empty where it got nothing in, but for texts that a container is handed as data."""
    pod = item["spec"]["template"]["spec"] if item["kind"] in ("Job", "Deployment") else {}
    containers = [*pod.get("initContainers", ()), *pod.get("containers", ())]
    variables = [entry for container in containers for entry in container["env"]]
    handed = [entry.pop("value", "") for entry in variables]
    found = [f"expanded: {text}" for text in handed if VARIABLE.search(text)]
    found += [danger for container in containers for danger in dangers_of_container(container)]
    found += [key for key in ("hostNetwork", "hostPID", "hostIPC", "nodeName", "priorityClassName") if pod.get(key)]
    found += ["an API token"] if pod and pod["automountServiceAccountToken"] is not False else []
    found += [str(volume) for volume in pod.get("volumes", ()) if not is_harmless(volume, item)]
    found += ["evil"] if "evil" in json.dumps(item) else []
    return [f"{item['kind']} {item['metadata']['name']}: {danger}" for danger in found]


def is_harmless(volume: Resource, item: Resource) -> bool:
    """The Secret of API keys is named after the model, and by no field."""
    if "secret" in volume:
        model: str = item["metadata"]["labels"]["heartops.dev/model"]
        return bool(volume["secret"]["secretName"] == f"{model}-api-keys")
    return not volume.keys() - {"name", "emptyDir", "configMap"}


def dangers_of_container(container: Resource) -> list[str]:
    context, limits = container["securityContext"], container["resources"]["limits"]
    found = [f"image {container['image']}"] if container["image"] not in PROFILE["images"].values() else []
    found += ["privileges"] if context.get("privileged") or context["allowPrivilegeEscalation"] else []
    found += ["capabilities"] if context["capabilities"] != {"drop": ["ALL"]} else []
    within = limits.keys() <= CAPS.keys() and all(
        amount(limits[name]) <= amount(cap) for name, cap in CAPS.items() if name in limits
    )
    return found if within else [*found, f"limits {limits}"]
