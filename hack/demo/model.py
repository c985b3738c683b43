"""The HeartModel of the example: declared, and followed until it serves."""

import json
import threading
import time
from typing import Any

from hack.cluster.report import Problem, say
from hack.demo.data import CONFIG_MAP, KEY, Source
from hack.demo.install import claim
from hack.demo.narrator import Narrator, end
from hack.demo.place import EXAMPLE, MODEL, NAMESPACE, SYSTEM, Place

PATIENCE = 30 * 60
"""Seconds; on two busy cores the whole training takes a few minutes."""


def declare(place: Place, source: Source) -> None:
    """Namespace with its part of the prediction log, data and HeartModel; a key that is there already stays."""
    claim(place, NAMESPACE)
    for line in place.heart("init-namespace", NAMESPACE, "--system-namespace", SYSTEM).splitlines():
        say(line)
    if source.file:
        _apply(place, _config_map(source.file.read_text()))
    _apply(place, json.loads(_manifest(place, source)))
    say(f"declared HeartModel {NAMESPACE}/{MODEL}")


def wait_until_ready(place: Place) -> None:
    """Say what changes until the model serves what was declared; Problem when it cannot."""
    narrator = Narrator()
    started = time.monotonic()
    following: set[str] = set()
    while True:
        model = place.get("heartmodel", MODEL, "-n", NAMESPACE)
        for line in narrator.news(model):
            say(line)
        _follow_training(place, following)
        ended = end(model)
        if ended == "Ready":
            return
        if ended:
            raise Problem(f"{ended} Look closer with `kubectl -n {NAMESPACE} describe heartmodel {MODEL}`.")
        if time.monotonic() - started > PATIENCE:
            raise Problem(
                f"The model is not ready after {PATIENCE // 60} minutes: see "
                f"`kubectl -n {NAMESPACE} describe heartmodel {MODEL}`."
            )
        time.sleep(1.5)


def _manifest(place: Place, source: Source) -> str:
    """The example with its data's address; a digest is not asked of data that is made anew."""
    dataset: dict[str, Any] = {"uri": source.uri}
    if source.synthetic:
        dataset["sha256"] = None
    patch = json.dumps({"spec": {"dataset": dataset}})
    return place.kubectl(
        "patch", "--local", "-f", EXAMPLE / "heartmodel.yaml", "--type=merge", "-p", patch, "-o", "json"
    )


def _config_map(text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": NAMESPACE},
        "data": {KEY: text},
    }


def _apply(place: Place, manifest: dict[str, Any]) -> None:
    place.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=heartops-demo",
        "-f",
        "-",
        stdin=json.dumps(manifest),
    )


def _follow_training(place: Place, following: set[str]) -> None:
    """Show the log of each training pod that appears, once, as it grows."""
    selector = f"heartops.dev/model={MODEL},app.kubernetes.io/component=training"
    for pod in place.get("pods", "-n", NAMESPACE, "-l", selector).get("items", []):
        name, phase = pod["metadata"]["name"], pod.get("status", {}).get("phase")
        if phase == "Running" and name not in following:
            following.add(name)
            threading.Thread(target=_show_log, args=(place, name), daemon=True).start()


def _show_log(place: Place, pod: str) -> None:
    process = place.open("logs", "--follow", "-n", NAMESPACE, pod)
    assert process.stdout is not None
    for line in process.stdout:
        say(f"  trainer | {line.rstrip()}")
