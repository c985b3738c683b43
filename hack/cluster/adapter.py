"""prometheus-adapter in a running cluster, for autoscaling on predictions; no cluster starts with it: few tests ask."""

import json
from pathlib import Path
from string import Template
from textwrap import dedent

from hack.cluster import store
from hack.cluster.addons import kubectl
from hack.cluster.archive import tar_layer, write_archive
from hack.cluster.build import build_extras
from hack.cluster.paths import HERE, REPO, Cluster, extras_dir
from hack.cluster.report import say
from hack.cluster.shell import wait_for

NAME = "prometheus-adapter"
VALUES = REPO / "examples" / "monitoring" / "prometheus-adapter.yaml"
"""Its rules are those that users are shown."""


def install(cluster: Cluster, socket: Path) -> None:
    """Build the adapter if it is not there yet, and run it until it answers. A second call changes nothing."""
    build_extras()
    reference = f"heartops/{NAME}:{extras_dir().name}"
    store.load(socket, [_image(reference)])
    kubectl(cluster, "apply", "--server-side", "-f", "-", input=_manifest(reference))
    wait_for("the custom metrics API", lambda: _answers(cluster), 120, every=0.5)
    say("prometheus-adapter serves custom.metrics.k8s.io")


def _image(reference: str) -> Path:
    """The archive of an image with the binary alone."""
    archive, layer = extras_dir() / f"{NAME}.tar", extras_dir() / f"{NAME}.layer"
    if not archive.exists():
        tar_layer(layer, {f"bin/{NAME}": extras_dir() / "bin" / NAME})
        write_archive(archive, reference, [layer], {"Entrypoint": [f"/bin/{NAME}"], "User": "65534"})
        layer.unlink()
    return archive


def _manifest(reference: str) -> str:
    rules = "rules:\n" + dedent(VALUES.read_text().partition("  custom:\n")[2])
    text = (HERE / "addons" / f"{NAME}.yaml").read_text()
    return Template(text).substitute(RULES=json.dumps(rules), PROMETHEUS_ADAPTER=reference)


def _answers(cluster: Cluster) -> bool:
    words = ("get", "apiservice", "v1beta2.custom.metrics.k8s.io", "-o", "json")
    conditions = json.loads(kubectl(cluster, *words)).get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == ("Available", "True") for each in conditions)
