"""The product's release: its CRDs and its chart, and what the cluster takes for another one."""

import json
import subprocess
from collections.abc import Mapping

import yaml

from tests.e2e.kit import PROMETHEUS_URL, RECORDED, RELEASE, RESTRICTED, ROOT, SYSTEM, apply, items, kubectl, require
from tests.e2e.profiles import EXTERNAL_SECRET, LOGIN, profiles
from tests.support.apiserver.gateway import GATEWAY

CHART = ROOT / "charts" / "heartops"
ENTRANCE, PUBLIC_HOST = "entrance", "models.example.org"
"""IngressClass and host that models may claim."""
ROUTED_HOST = "routed.example.org"
"""Host that models may claim at the Gateway of the tests."""
OF_ANOTHER_RELEASE = "ofAnotherRelease"
"""A field that only the other release's CRDs have."""


def helm(*words: object) -> str:
    done = subprocess.run(["helm", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning: would violate PodSecurity" not in done.stderr, done.stderr
    return done.stdout


def install(images: Mapping[str, str]) -> None:
    """The chart in a `restricted` namespace, as the living tree has it."""
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM, "labels": RESTRICTED}})
    apply_crds()
    meta = {"name": EXTERNAL_SECRET, "namespace": SYSTEM}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": LOGIN})
    options = (
        f"runtimes.{RECORDED}.prometheusUrl={PROMETHEUS_URL}",
        "monitoring.labels.release=prometheus",
        f"runtimes.default.routes.ingressClasses={{{ENTRANCE}}}",
        f"runtimes.default.routes.hosts={{{PUBLIC_HOST},{ROUTED_HOST}}}",
        f"runtimes.default.routes.gateways={{{GATEWAY['namespace']}/{GATEWAY['name']}}}",
    )
    given = [word for option in options for word in ("--set-string", option)]
    given += [
        word for name, values in profiles().items() for word in ("--set-json", f"runtimes.{name}={json.dumps(values)}")
    ]
    helm_upgrade(images, "--install", *given)


def helm_upgrade(images: Mapping[str, str], *options: str) -> None:
    """Waits until all that the chart starts is ready."""
    values = (word for name, reference in images.items() for word in ("--set-string", f"images.{name}={reference}"))
    helm("upgrade", RELEASE, CHART, "-n", SYSTEM, "--wait", "--timeout", "8m", *options, *values)


def apply_crds(*, of_another_release: bool = False) -> None:
    """As an administrator does before `helm upgrade`."""
    crds = [yaml.safe_load(file.read_text()) for file in sorted((CHART / "crds").glob("*.yaml"))]
    if of_another_release:
        for version in (version for crd in crds for version in crd["spec"]["versions"]):
            parts = version["schema"]["openAPIV3Schema"]["properties"]
            for part in ("spec", "status"):
                parts[part]["properties"][OF_ANOTHER_RELEASE] = {"type": "string"}
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": crds})
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=document)


def another_name(reference: str) -> str:
    """Of the same image, so that pods that are told it are other pods; skips where a registry's host is in it."""
    host = reference.partition("/")[0]
    require(not {".", ":"}.intersection(host), "image that lies on the node")
    return f"docker.io/{reference}"


def leading_image() -> str:
    """Of the operator that holds the Lease; empty while none does."""
    lease = json.loads(kubectl("get", "lease", f"{RELEASE}-operator", "-n", SYSTEM, "-o", "json"))
    pods = items("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator")
    holder = (pod for pod in pods if pod["metadata"]["name"] == lease["spec"].get("holderIdentity"))
    return next((pod["spec"]["containers"][0]["image"] for pod in holder), "")
