"""How many pods each version has. One owner at a time: the HPA where it points, the operator elsewhere."""

from collections.abc import Mapping

from heart_api.heartmodel import Autoscaling, Serving
from heart_api.kube.values import VersionDeployment
from heart_operator.plan.actions import Scale
from heart_operator.plan.observed import Observed


def fewest(serving: Serving) -> int:
    """Replicas that a version starts with."""
    if serving.replicas is not None:
        return serving.replicas
    return (serving.autoscaling or Autoscaling()).min_replicas


def wanted_count(serving: Serving, stable: VersionDeployment | None) -> int:
    """Pods of the version that serves, and so of one that is to take over or to stand by.

    With a fixed number it is that; with an autoscaler it is what the autoscaler made of the stable version.
    """
    if serving.replicas is not None or stable is None:
        return fewest(serving)
    return max(fewest(serving), stable.replicas)


def plan_scale(
    observed: Observed, stable: VersionDeployment | None, others: Mapping[VersionDeployment, int]
) -> list[Scale]:
    """Changes of counts; `others` (candidate, previous) have the counts given."""
    serving, target = observed.model.spec.serving, hpa_target(observed)
    count = wanted_count(serving, stable)
    found = [
        Scale(other.name, pods) for other, pods in others.items() if other.replicas != pods and is_ours(other, target)
    ]
    if stable is None or not is_ours(stable, target):
        return found
    # An autoscaler pauses at 0 replicas, so the operator must scale the Deployment up first.
    if serving.replicas is not None or stable.replicas == 0:
        found += [Scale(stable.name, count)] if stable.replicas != count else []
    return found


def is_ours(deployment: VersionDeployment, target: str | None) -> bool:
    """An autoscaler owns the count of what it points at, unless that is 0, where it pauses."""
    return deployment.name != target or deployment.replicas == 0


def hpa_target(observed: Observed) -> str | None:
    """The Deployment that the living HPA points at."""
    for key, child in observed.children.items():
        if key.kind == "HorizontalPodAutoscaler":
            name: str = child["spec"]["scaleTargetRef"]["name"]
            return name
    return None
