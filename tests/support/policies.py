"""What NetworkPolicies admit, computed as a network plugin does that enforces them (networking.k8s.io/v1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

Labels = Mapping[str, str]
NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Pod:
    """Where a connection comes from, or goes to."""

    namespace: str
    labels: Labels
    namespace_labels: Labels
    address: str = "10.0.0.1"


def pod(namespace: str, **labels: str) -> Pod:
    """`app_kubernetes_io__name` would be a label's name; these tests need plain ones."""
    return Pod(namespace, labels, {NAME: namespace})


def admits(policies: Iterable[Mapping[str, Any]], source: Pod, target: Pod, port: int) -> bool:
    """Whether a connection may be made: by any policy of those that select the target, or because none does."""
    about = [each["spec"] for each in policies if selects(each, target) and "Ingress" in each["spec"]["policyTypes"]]
    return not about or any(
        rule_admits(rule, source, target, port) for spec in about for rule in spec.get("ingress", ())
    )


def selects(policy: Mapping[str, Any], target: Pod) -> bool:
    same = policy["metadata"]["namespace"] == target.namespace
    return same and matches(policy["spec"]["podSelector"], target.labels)


def rule_admits(rule: Mapping[str, Any], source: Pod, target: Pod, port: int) -> bool:
    ports, peers = rule.get("ports"), rule.get("from")
    right_port = not ports or any(entry.get("port") in (None, port) for entry in ports)
    return right_port and (not peers or any(is_peer(peer, source, target) for peer in peers))


def is_peer(peer: Mapping[str, Any], source: Pod, target: Pod) -> bool:
    if block := peer.get("ipBlock"):
        return ip_address(source.address) in ip_network(block["cidr"])
    if (namespaces := peer.get("namespaceSelector")) is not None:
        right_namespace = matches(namespaces, source.namespace_labels)
    else:
        right_namespace = source.namespace == target.namespace
    return right_namespace and matches(peer.get("podSelector") or {}, source.labels)


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """An empty selector matches everything."""
    wanted: Labels = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        holds(each, labels) for each in selector.get("matchExpressions") or ()
    )


def holds(requirement: Mapping[str, Any], labels: Labels) -> bool:
    key, values = requirement["key"], requirement.get("values", ())
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
