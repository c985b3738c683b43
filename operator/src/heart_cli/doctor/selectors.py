"""Whether a Prometheus selects HeartOps' monitoring objects. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heart_api.kube.values import Manifest

Selector = Mapping[str, Any] | None
UPGRADE = "helm upgrade heartops charts/heartops --reuse-values"


@dataclass(frozen=True, slots=True)
class Monitored:
    """An object of the Prometheus Operator, and the Namespace that it is in."""

    kind: str
    """ServiceMonitor or PrometheusRule"""
    name: str
    labels: Mapping[str, str]
    namespace: str
    namespace_labels: Mapping[str, str]


FIELDS = {
    "ServiceMonitor": ("serviceMonitorSelector", "serviceMonitorNamespaceSelector"),
    "PrometheusRule": ("ruleSelector", "ruleNamespaceSelector"),
}
"""By kind: selector of the objects' labels, and of their namespaces' labels."""


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """A Kubernetes label selector: None selects nothing, an empty one everything."""
    if selector is None:
        return False
    pairs: Mapping[str, str] = selector.get("matchLabels") or {}
    return pairs.items() <= labels.items() and all(
        fulfils(entry, labels) for entry in selector.get("matchExpressions") or ()
    )


def fulfils(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:  # DoesNotExist
            return value is None


def selects(prometheus: Manifest, found: Monitored) -> bool:
    return selects_labels(prometheus, found) and selects_namespace(prometheus, found)


def selects_labels(prometheus: Manifest, found: Monitored) -> bool:
    return matches(prometheus["spec"].get(FIELDS[found.kind][0]), found.labels)


def selects_namespace(prometheus: Manifest, found: Monitored) -> bool:
    """Without a namespace selector, a Prometheus reads its own namespace alone."""
    selector = prometheus["spec"].get(FIELDS[found.kind][1])
    if selector is None:
        return bool(prometheus["metadata"]["namespace"] == found.namespace)
    return matches(selector, found.namespace_labels)


def fixes(prometheus: Manifest, found: Monitored) -> Iterator[str]:
    """What makes this Prometheus select the object."""
    by_label, by_namespace = FIELDS[found.kind]
    if not selects_labels(prometheus, found):
        selector = prometheus["spec"].get(by_label)
        wanted = (selector or {}).get("matchLabels") or {}
        missing = {key: value for key, value in wanted.items() if found.labels.get(key) != value}
        if missing:
            yield UPGRADE + "".join(
                f" --set monitoring.labels.{escaped(key)}={missing[key]}" for key in sorted(missing)
            )
        else:
            yield f"set spec.{by_label} of the Prometheus, or monitoring.labels, so that they match"
    if not selects_namespace(prometheus, found):
        selector = prometheus["spec"].get(by_namespace) or {}
        wanted = selector.get("matchLabels") or {}
        labels = " ".join(f"{key}={wanted[key]}" for key in sorted(wanted))
        yield (
            f"kubectl label namespace {found.namespace} {labels}"
            if labels
            else f"set spec.{by_namespace} of the Prometheus so that it includes namespace {found.namespace}"
        )


def escaped(key: str) -> str:
    """A label's key as `helm --set` takes it."""
    return key.replace(".", r"\.")
