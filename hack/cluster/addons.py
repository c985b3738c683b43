"""What runs in the cluster before the product does: DNS and storage; with monitoring also metrics and Prometheus."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from string import Template

from hack.cluster.net import Addresses
from hack.cluster.ownimages import BASIC, MONITORING, reference
from hack.cluster.paths import HERE, Cluster, bin_dir, build_dir
from hack.cluster.processes import check_alive
from hack.cluster.report import Problem
from hack.cluster.shell import run, wait_for

VOLUMES, VOLUME_SIZE = 32, "10Gi"
API_ONLY_CRDS = re.compile(r"servicemonitors|podmonitors|prometheusrules|gateway\.networking")
DNS = ("kube-system", "deployment/coredns")
MONITORS = (
    ("kube-system", "deployment/metrics-server"),
    ("monitoring", "deployment/prometheus-operator"),
    ("monitoring", "statefulset/prometheus-cluster"),
)


def kubectl(cluster: Cluster, *words: object, **options: object) -> str:
    """Run kubectl against the cluster and return its stdout."""
    return run(bin_dir() / "kubectl", "--kubeconfig", cluster.kubeconfig, *words, **options)


def apply_crds(cluster: Cluster, api_only: bool) -> None:
    """The CRDs of the Prometheus Operator and the Gateway API; api_only: those that the product writes."""
    paths = sorted((build_dir() / "crds").rglob("*.yaml"))
    chosen = [path for path in paths if not api_only or API_ONLY_CRDS.search(path.name)]
    _apply(cluster, *(path.read_text() for path in chosen))
    kubectl(cluster, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


def apply_basic(cluster: Cluster, addresses: Addresses) -> None:
    """Apply DNS and storage; they become ready when the node is."""
    values = {"DNS": addresses.dns, **_references(BASIC)}
    _apply(cluster, *_filled(values, "coredns", "storage"), *map(json.dumps, volumes(cluster)))


def apply_monitoring(cluster: Cluster) -> None:
    """Apply metrics-server, the Prometheus Operator and a Prometheus.

    The Prometheus Operator comes after its CRDs: it checks for them once, at its start.
    """
    values = {"PROMETHEUS_VERSION": prometheus_version(), **_references(MONITORING)}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}
    _apply(cluster, *_filled(values, "metrics-server"), json.dumps(namespace))
    apply_crds(cluster, api_only=False)
    _apply(cluster, *_filled(values, "prometheus-operator", "prometheus", "kubelet-monitor"))


def _references(names: Iterable[str]) -> dict[str, str]:
    return {name.upper().replace("-", "_"): reference(name) for name in names}


def _filled(values: dict[str, str], *names: str) -> list[str]:
    """Manifests with their placeholders replaced."""
    return [Template((HERE / "addons" / f"{name}.yaml").read_text()).safe_substitute(values) for name in names]


def volumes(cluster: Cluster) -> list[dict]:
    """Local volumes made beforehand: unlike hostPath they honour fsGroup."""
    return [_volume(cluster, cluster.data / "volumes" / f"v{number:02}") for number in range(VOLUMES)]


def prometheus_version() -> str:
    """The version of the Debian package's Prometheus, read from the promtool built with it."""
    text = run(bin_dir() / "promtool", "--version")
    return "v" + re.search(r"version (\d+\.\d+\.\d+)", text)[1]


def wait_all(cluster: Cluster, monitoring: bool, seconds: float = 150) -> None:
    """Wait until the node and every add-on are ready; with monitoring also until metrics-server has figures."""
    wait_for("node Ready", lambda: _node_ready(cluster), seconds, every=0.3)
    for namespace, name in (DNS, *(MONITORS if monitoring else ())):
        wait_for(f"{name} available", lambda at=(namespace, name): _available(cluster, *at), seconds, every=0.3)
    if monitoring:
        wait_for("CPU figures of the node", lambda: _has_figures(cluster), seconds, every=0.3)


def _apply(cluster: Cluster, *documents: str) -> None:
    kubectl(cluster, "apply", "--server-side", "--validate=false", "-f", "-", input="\n---\n".join(documents))


def _volume(cluster: Cluster, path: Path) -> dict:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [cluster.node_name]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"local-{path.name}"},
        "spec": {
            "capacity": {"storage": VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "standard",
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def _status(cluster: Cluster, *words: str) -> dict:
    check_alive(cluster)
    try:
        return json.loads(kubectl(cluster, "get", *words))
    except Problem:
        return {}  # not there yet


def _node_ready(cluster: Cluster) -> bool:
    conditions = _status(cluster, "node", cluster.node_name, "-o", "json").get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _available(cluster: Cluster, namespace: str, name: str) -> bool:
    return bool(_status(cluster, "-n", namespace, name, "-o", "json").get("status", {}).get("availableReplicas"))


def _has_figures(cluster: Cluster) -> bool:
    return bool(_status(cluster, "--raw=/apis/metrics.k8s.io/v1beta1/nodes").get("items"))
