"""The chart: installed, upgraded only when something changed, and removed."""

import hashlib
import json
import subprocess
import time
from collections.abc import Iterator

from hack.cluster.report import Problem, say
from hack.demo.place import CHART, EXAMPLE, MODEL, NAMESPACE, RELEASE, SYSTEM, Place

TIMEOUT = 900
OURS = "heartops.dev/demo"
KINDS = ("retrainschedules", "federationsites", "heartmodels")


def install(place: Place, images: dict[str, str]) -> None:
    """The release as the chart and the images are now."""
    claim(place, SYSTEM)
    wanted = _digest(images)
    status, description = _release(place)
    if (status, description) == ("deployed", wanted):
        say("the chart is up to date")
        return
    if status.startswith("pending"):
        say("an earlier installation was interrupted: removing it")
        place.helm("uninstall", RELEASE, "-n", SYSTEM, "--wait")
    place.kubectl("apply", "--server-side", "--force-conflicts", "-f", CHART / "crds")
    say(f"installing the chart into {SYSTEM}: operator, MLflow, PostgreSQL")
    _upgrade(place, images, wanted)


def claim(place: Place, namespace: str) -> None:
    """A namespace marked as the demo's: `down` deletes no other, so another HeartOps in the cluster is safe."""
    if place.get("namespace", namespace) and not _is_ours(place, namespace):
        raise Problem(
            f"The cluster has a namespace {namespace} that the demo did not create: use what is installed "
            "there (`kubectl apply -f examples/heart-disease/`), or name another cluster."
        )
    labels = {OURS: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    place.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(manifest))


def uninstall(place: Place) -> None:
    """Example, release and namespaces; the CRDs too, unless other resources use them."""
    if _is_ours(place, NAMESPACE):
        say(f"deleting HeartModel {MODEL} and namespace {NAMESPACE}")
        place.kubectl("delete", "-f", EXAMPLE / "heartmodel.yaml", "--ignore-not-found", "--timeout=120s")
        place.kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")
    if _is_ours(place, SYSTEM):
        say(f"uninstalling the chart and deleting namespace {SYSTEM}")
        place.helm("uninstall", RELEASE, "-n", SYSTEM, "--ignore-not-found", "--wait")
        place.kubectl("delete", "namespace", SYSTEM, "--timeout=180s")
        for plural in KINDS:
            _delete_crd(place, plural)
    say("removed")


def _delete_crd(place: Place, plural: str) -> None:
    if others := place.get(plural, "--all-namespaces").get("items"):
        say(f"{len(others)} other {plural} exist, so their CRD is kept")
    else:
        place.kubectl("delete", "crd", f"{plural}.heartops.dev", "--ignore-not-found", "--timeout=60s")


def _is_ours(place: Place, namespace: str) -> bool:
    return place.get("namespace", namespace).get("metadata", {}).get("labels", {}).get(OURS) == "true"


def _upgrade(place: Place, images: dict[str, str], description: str) -> None:
    """Run Helm and say, while it waits, which pods are not ready yet."""
    values = [word for name, reference in images.items() for word in ("--set-string", f"images.{name}={reference}")]
    process = place.start_helm(
        *("upgrade", "--install", RELEASE, CHART, "-n", SYSTEM, "--wait", "--timeout", f"{TIMEOUT}s"),
        *("--description", description, *values),
    )
    try:
        waiting_for = _wait(place, process)
    finally:
        process.terminate()
    if process.returncode:
        output, _ = process.communicate()
        raise Problem(f"Helm could not install the chart: {output.strip()} Not ready: {waiting_for or 'nothing'}.")
    say("the chart is installed")


def _wait(place: Place, process: subprocess.Popen[str]) -> str:
    """Until Helm ends; returns what it was waiting for last."""
    reported = ""
    while process.poll() is None:
        waiting = "; ".join(_not_ready(place))
        if waiting and waiting != reported:
            say(f"waiting for {waiting}")
            reported = waiting
        time.sleep(1)
    return reported


def _not_ready(place: Place) -> Iterator[str]:
    """`name (why)` of each pod of the release that is not ready."""
    for pod in place.get("pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/instance={RELEASE}").get("items", []):
        status = pod.get("status", {})
        if "deletionTimestamp" in pod["metadata"] or status.get("phase") == "Succeeded":
            continue
        conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
        if conditions.get("Ready") != "True":
            component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            yield f"{component} ({_reason(place, pod)})"


def _reason(place: Place, pod: dict) -> str:
    """Why a pod is not ready; for one that crashes, the last line of its log."""
    status = pod.get("status", {})
    for container in status.get("containerStatuses", []):
        reason = container.get("state", {}).get("waiting", {}).get("reason")
        if reason == "CrashLoopBackOff":
            log = place.kubectl("logs", "--previous", "--tail=8", "-n", SYSTEM, pod["metadata"]["name"])
            return f"crashing: {last_line(log)[:300]}"
        if reason:
            return reason
    return "starting" if status.get("phase") == "Running" else status.get("phase", "Pending").lower()


def last_line(log: str) -> str:
    """The last line that says something; SQLAlchemy ends with an address in brackets."""
    lines = [line.strip() for line in log.splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("(")), "")


def _release(place: Place) -> tuple[str, str]:
    """Status and description of the newest revision; empty when there is none."""
    if not json.loads(place.helm("list", "-n", SYSTEM, "--all", "--filter", f"^{RELEASE}$", "-o", "json")):
        return "", ""
    newest = json.loads(place.helm("history", RELEASE, "-n", SYSTEM, "--max", "1", "-o", "json"))[-1]
    return newest["status"], newest["description"]


def _digest(images: dict[str, str]) -> str:
    """Changes with any file of the chart and with any image."""
    total = hashlib.sha256(json.dumps(images, sort_keys=True).encode())
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        total.update(f"\0{path.relative_to(CHART)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:16]
