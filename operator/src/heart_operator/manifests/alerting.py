"""What the monitoring objects and the alerts of a model share."""

from typing import Any

from heart_api.heartmodel import HeartModel
from heart_api.names import Component
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.common import metadata

Rule = dict[str, Any]


def monitoring_metadata(model: HeartModel, profile: RuntimeProfile) -> dict[str, Any]:
    """Metadata with the profile's `monitoringLabels`; they cannot replace the operator's own labels."""
    found = metadata(model, model.name, Component.SERVING)
    return found | {"labels": profile.monitoring_labels | found["labels"]}


def quoted(text: str) -> str:
    """A PromQL string literal: whatever the text holds, it stays one value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def matchers(model: HeartModel, *more: str) -> str:
    own = (f"namespace={quoted(model.namespace)}", f"model_name={quoted(model.name)}")
    return "{" + ",".join([*own, *more]) + "}"


def alert(
    model: HeartModel,
    name: str,
    expr: str,
    severity: str,
    *,
    summary: str,
    description: str,
    hold: str = "5m",
    **labels: str,
) -> Rule:
    """Namespace and model are set as labels, so that an alert over absent series has them too."""
    return {
        "alert": name,
        "expr": expr,
        "for": hold,
        "labels": {"severity": severity, "namespace": model.namespace, "model_name": model.name, **labels},
        "annotations": {
            "summary": f"HeartModel {model.namespace}/{model.name} {summary}",
            "description": description,
        },
    }


def with_runbook(rule: Rule, base: str) -> Rule:
    """An alert with its runbook: a link below `base`, else the path of the page in the repository."""
    if "alert" not in rule:
        return rule
    page = f"{rule['alert']}.md"
    named = {"runbook_url": f"{base.rstrip('/')}/{page}"} if base else {"runbook": f"docs/runbooks/{page}"}
    return rule | {"annotations": rule["annotations"] | named}
