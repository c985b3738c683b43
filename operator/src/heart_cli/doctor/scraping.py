"""Whether NetworkPolicies let Prometheus reach what it is to scrape. No API tells whether they are enforced."""

from collections.abc import Iterator

from heart_api.kube.kinds import BY_NAME, MONITORING
from heart_api.kube.values import Manifest
from heart_api.names import Label
from heart_cli.doctor.findings import Finding
from heart_cli.doctor.reader import OURS, Reader, read_profiles
from heart_cli.doctor.selectors import UPGRADE, Monitored, matches, selects

AREA = "monitoring"
SERVICE_MONITOR = BY_NAME[(MONITORING, "ServiceMonitor")]
NETWORK_POLICY = BY_NAME[("networking.k8s.io/v1", "NetworkPolicy")]
PORTS = {"operator": 8443, "mlflow": 5000, "postgresql": 9187, "log-postgresql": 9187}
"""By component: where its pods show their metrics."""


def check_scraping(system: Reader, models: Reader) -> Iterator[Finding]:
    """Of each Prometheus that selects the objects of HeartOps; no finding if all of them get through."""
    found = system.path(f"/apis/{MONITORING}/prometheuses")
    prometheuses = found["items"] if found else []
    for namespace in sorted({each["metadata"]["namespace"] for each in prometheuses if reads(system, each)}):
        closed = [*closed_components(system, namespace), *closed_models(system, models, namespace)]
        if closed:
            message = f"NetworkPolicies, where they are enforced, keep namespace {namespace} from the metrics of"
            fix = f"{UPGRADE} --set 'monitoring.namespaces={{{namespace}}}'"
            yield Finding("note", AREA, f"{message} {', '.join(closed)}", fix)


def reads(system: Reader, prometheus: Manifest) -> bool:
    """Whether it selects a ServiceMonitor of the installation."""
    labels = namespace_labels(system, system.namespace)
    return any(
        selects(prometheus, Monitored("ServiceMonitor", name, item["metadata"]["labels"], system.namespace, labels))
        for name, item in monitors(system).items()
    )


def monitors(system: Reader) -> dict[str, Manifest]:
    """The installation's ServiceMonitors by component."""
    items = system.objects(SERVICE_MONITOR, labelSelector=OURS)
    return {item["metadata"]["labels"].get(Label.COMPONENT, ""): item for item in items}


def namespace_labels(reader: Reader, namespace: str) -> dict[str, str]:
    meta = (reader.path(f"/api/v1/namespaces/{namespace}") or {}).get("metadata", {})
    return meta.get("labels") or {"kubernetes.io/metadata.name": namespace}


def closed_components(system: Reader, namespace: str) -> Iterator[str]:
    """The chart's ServiceMonitors, Services and NetworkPolicies select a component's pods by the same labels."""
    labels = namespace_labels(system, namespace)
    policies = [item["spec"] for item in system.objects(NETWORK_POLICY)]
    found = monitors(system)
    for component in sorted(found.keys() & PORTS.keys()):
        pod = found[component]["spec"]["selector"]["matchLabels"]
        own = [policy for policy in policies if limits_callers(policy, pod)]
        if own and not any(admits(policy, PORTS[component], labels) for policy in own):
            yield component


def limits_callers(policy: Manifest, pod: dict[str, str]) -> bool:
    return "Ingress" in policy.get("policyTypes", ("Ingress",)) and matches(policy["podSelector"], pod)


def admits(policy: Manifest, port: int, labels: dict[str, str]) -> bool:
    """Whether a rule is open at the port for every pod of a namespace with these labels."""
    rules: list[Manifest] = policy.get("ingress") or []
    return any(is_open(rule, port) and has_peer(rule, labels) for rule in rules)


def is_open(rule: Manifest, port: int) -> bool:
    ports: list[Manifest] = rule.get("ports") or []
    return not ports or any(entry.get("port", port) == port for entry in ports)


def has_peer(rule: Manifest, labels: dict[str, str]) -> bool:
    peers: list[Manifest] = rule.get("from") or []
    return not peers or any(is_whole(peer, labels) for peer in peers)


def is_whole(peer: Manifest, labels: dict[str, str]) -> bool:
    return "podSelector" not in peer and matches(peer.get("namespaceSelector"), labels)


def closed_models(system: Reader, models: Reader, namespace: str) -> Iterator[str]:
    """By the default profile, from which the operator writes the models' policies."""
    admitted = (read_profiles(system).get("default") or {}).get("monitoringNamespaces") or ()
    if admitted and namespace not in admitted:
        yield f"models in namespace {models.namespace}"
