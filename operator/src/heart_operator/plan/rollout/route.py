"""What the Gateway makes of the model's HTTPRoute."""

from heart_api.kube.values import Manifest
from heart_operator.plan.observed import Observed

NEEDED = ("Accepted", "ResolvedRefs")
"""Conditions of the Gateway API without which no request arrives."""
LONGEST = 300
"""Maximum length of the Gateway's message in HeartOps' own."""


def route_rejection(observed: Observed) -> str:
    """Why no request arrives by the route, as given by the Gateway; empty if they do, or if nothing is reported yet."""
    route = next((child for key, child in observed.children.items() if key.kind == "HTTPRoute"), None)
    if route is None or observed.model.spec.serving.route is None:
        return ""
    for parent in route.get("status", {}).get("parents", ()):
        for entry in parent.get("conditions", ()):
            if is_rejection(route, entry):
                gateway, why = parent["parentRef"]["name"], entry.get("message", "")[:LONGEST]
                details = f"{entry['reason']}: {why}" if why else entry["reason"]
                return f"Gateway {gateway} does not take HTTPRoute {route['metadata']['name']} ({details})"
    return ""


def is_rejection(route: Manifest, entry: Manifest) -> bool:
    """Of the route as it stands; what was said of an older one no longer counts."""
    generation = route["metadata"].get("generation")
    current = entry.get("observedGeneration", generation) == generation
    return current and entry["type"] in NEEDED and entry["status"] == "False"
