"""The HeartModel of the example: applied, and followed until it serves."""

import json
import threading
import time
from typing import Any

from hack.cluster.report import Problem, say
from hack.demo.apply import apply
from hack.demo.data import CONFIG_MAP, KEY, Source
from hack.demo.install import claim
from hack.demo.place import EXAMPLE, MODEL, NAMESPACE, SYSTEM, WHERE, Place
from hack.demo.progress import Progress, needs_person, outcome, rolls_out
from hack.demo.traffic import Traffic

TRAINING_MINUTES, ROLLOUT_MINUTES = 30, 15
"""Bounds of the two waits; on two busy cores either takes a few minutes."""
ROLLOUT = {
    "steps": [
        {"setWeight": 10},
        {"pause": {"duration": "45s"}},
        {"setWeight": 50},
        {"pause": {"duration": "45s"}},
    ],
    "analysis": {"interval": "10s"},
}
"""The example's rollout with shorter pauses: nobody should watch a demo for ten minutes."""


def declare(place: Place, source: Source) -> None:
    """Apply the namespace with its part of the prediction log, the data and the HeartModel; an existing key is kept."""
    claim(place, NAMESPACE)
    for line in place.heart("init-namespace", NAMESPACE, "--system-namespace", SYSTEM).splitlines():
        say(line)
    if source.file:
        apply(place, _config_map(source.file.read_text()))
    apply(place, json.loads(_manifest(place, source)))
    say(f"applied HeartModel {NAMESPACE}/{MODEL}")


def wait_until_ready(place: Place) -> None:
    """Report what changes until the declared model serves, with requests while a rollout needs them.

    Raises:
        Problem: it cannot become ready, needs a person, or took longer than the bounds; with what to do next.
    """
    traffic = Traffic(place)
    try:
        _follow(place, traffic)
    finally:
        traffic.stop()


def _follow(place: Place, traffic: Traffic) -> None:
    progress, shown_logs = Progress(), set[str]()
    bound = Bound("training", TRAINING_MINUTES)
    while True:
        model = place.get("heartmodel", MODEL, "-n", NAMESPACE)
        for line in progress.changes(model):
            say(line)
        _show_training_logs(place, shown_logs)
        if rolls_out(model):
            traffic.start()
            bound = bound if bound.name == "rollout" else Bound("rollout", ROLLOUT_MINUTES)
        ended = outcome(model)
        if ended == "Ready":
            return
        if ended:
            raise Problem(f"{ended}\nFor the whole state: kubectl heart status {WHERE}")
        if needs_person(model):
            raise Problem(f"The rollout waits for a person. Continue it: kubectl heart promote {WHERE}")
        bound.check()
        time.sleep(1.5)


class Bound:
    """The end of one wait."""

    def __init__(self, name: str, minutes: int) -> None:
        self.name, self._minutes = name, minutes
        self._ends = time.monotonic() + minutes * 60

    def check(self) -> None:
        """Raise Problem once the time is over."""
        if time.monotonic() > self._ends:
            raise Problem(
                f"The {self.name} has not ended after {self._minutes} minutes. What it waits for: "
                f"kubectl heart status {WHERE}. `make demo` continues from here."
            )


def _manifest(place: Place, source: Source) -> str:
    """The example with the address of its data and shorter pauses."""
    patch = json.dumps({"spec": {"dataset": source.dataset(), "rollout": ROLLOUT}})
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


def _show_training_logs(place: Place, following: set[str]) -> None:
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
        say(f"  trainer  | {line.rstrip()}")
