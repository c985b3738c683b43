"""`make demo SHOW=drift`: the patients change; the cluster notices, retrains, gates and rolls out by itself.

The model and its schedule are those of examples/heart-drift, with checks every minute in place of every six hours.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hack.cluster.report import Problem, say
from hack.demo.apply import apply
from hack.demo.place import NAMESPACE, ROOT, Place
from hack.demo.progress import Progress, outcome

MODEL = "heart-drift"
EXAMPLE = ROOT / "examples" / MODEL
PYTHON = ROOT / ".venv" / "bin" / "python"
"""With httpx and the cohort, which `make demo` has installed."""
WHERE = f"{MODEL} -n {NAMESPACE}"
MINUTES = 20
"""Bound of each of the three waits; on two busy cores all of them take about ten."""
SPEC = {
    "serving": {"replicas": 2},
    "rollout": {
        "steps": [{"setWeight": 50}, {"pause": {"duration": "20s"}}],
        "analysis": {"interval": "5s", "maxPredictionShift": 0.5},
    },
}
CHECKS = {
    "schedule": None,
    "performance": None,
    "drift": {"schedule": "* * * * *", "window": "2m", "threshold": 0.25},
    "cooldown": "1m",
}
MOST_FAILURES = 5
"""Of send.py: a request may fail while pods are replaced."""
ENDED = ("Succeeded", "Failed", "Missed")
Resource = dict[str, Any]


def manifest(place: Place, file: str, spec: Resource) -> Resource:
    """A resource of the example with parts of its spec replaced; None removes a part."""
    patch = json.dumps({"spec": spec})
    options = ("--type=merge", "-p", patch, "-o", "json")
    found: Resource = json.loads(place.kubectl("patch", "--local", "-f", EXAMPLE / file, *options))
    return found


def show(place: Place) -> None:
    """Raises Problem if a step fails or takes too long, with what to look at."""
    apply(place, manifest(place, "heartmodel.yaml", SPEC))
    say(f"applied HeartModel {NAMESPACE}/{MODEL}: waiting until it serves")
    story = Story(place)
    story.until(lambda: outcome(story.model()) == "Ready", "the model to serve")
    apply(place, manifest(place, "retrainschedule.yaml", CHECKS))
    say(f"applied RetrainSchedule {NAMESPACE}/{MODEL}: a drift check every minute, over two windows of two minutes")
    known = {run["time"] for run in story.runs()}
    with api_proxy(place) as url:
        with patients(url, shift=0) as sent:
            story.until(lambda: story.verdict() == "NoDrift", "a check without drift", sent.keep_sending)
        with patients(url, shift=1) as sent:
            story.until(lambda: bool(ended(story.runs(), known)), "a retraining", sent.keep_sending)
    finish(place, ended(story.runs(), known)[0])


def ended(runs: list[Resource], known: set[str]) -> list[Resource]:
    """Runs that have ended since, the newest first."""
    return [run for run in runs if run["time"] not in known and run["phase"] in ENDED]


def finish(place: Place, run: Resource) -> None:
    if run["phase"] != "Succeeded":
        raise Problem(f"The retraining ended as {run['phase']}: {run.get('message', '')}\nkubectl heart status {WHERE}")
    say(f"version {run['version']} was trained on the changed patients, passed its gate and serves")
    print(place.heart("history", *WHERE.split()).rstrip())
    print(f"\nThe drift report is in MLflow; kubectl describe rts {WHERE} links to it.")


class Story:
    """What model and schedule report, each change once."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._progress = Progress()
        self._said: dict[str, str] = {}

    def model(self) -> Resource:
        return self._place.get("heartmodel", MODEL, "-n", NAMESPACE)

    def schedule(self) -> Resource:
        return self._place.get("retrainschedule", MODEL, "-n", NAMESPACE)

    def runs(self) -> list[Resource]:
        found: list[Resource] = self.schedule().get("status", {}).get("runs", [])
        return found

    def verdict(self) -> str:
        return str(self.schedule().get("status", {}).get("lastDrift", {}).get("verdict", ""))

    def until(self, reached: Callable[[], bool], what: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Report what changes until then. Raises Problem."""
        ends = time.monotonic() + MINUTES * 60
        while not reached():
            self.tell()
            meanwhile()
            if time.monotonic() > ends:
                raise Problem(f"Waited {MINUTES} minutes for {what}. See: kubectl heart status {WHERE}")
            time.sleep(2)
        self.tell()

    def tell(self) -> None:
        for line in (*self._progress.changes(self.model()), *self.changes(self.schedule())):
            say(line)

    def changes(self, schedule: Resource) -> Iterator[str]:
        """The latest finding, and the newest run."""
        status = schedule.get("status", {})
        if drift := status.get("lastDrift"):
            yield from self._new("  drift    | ", f"{drift['verdict']}: {drift.get('message', '')}")
        for run in status.get("runs", [])[:1]:
            version = f", version {run['version']}" if run.get("version") else ""
            yield from self._new(
                "  run      | ", f"{run['phase']} ({run['cause']}){version} {run.get('message', '')}".rstrip()
            )

    def _new(self, head: str, text: str) -> Iterator[str]:
        if self._said.get(head) != text:
            self._said[head] = text
            yield head + text


@contextmanager
def api_proxy(place: Place) -> Iterator[str]:
    """The model's Service behind a loopback port, by `kubectl proxy`: requests reach both versions of a rollout."""
    process = place.open("proxy", "--port=0")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "127.0.0.1:" not in line:
            raise Problem(f"kubectl proxy did not start: {line.strip()}")
        address = line.split("127.0.0.1:")[1].split()[0]
        yield f"http://127.0.0.1:{address}/api/v1/namespaces/{NAMESPACE}/services/{MODEL}:80/proxy"
    finally:
        process.terminate()
        process.wait(30)


class Patients:
    """send.py in the background: synthetic patients and their outcomes, several times a second."""

    def __init__(self, url: str, shift: int) -> None:
        options = ("--url", url, "--shift", str(shift), "--rows", "5", "--every", "0.25")
        self._command = [str(PYTHON), str(EXAMPLE / "send.py"), *options]
        self._process = self._start()
        self._failures = 0

    def keep_sending(self) -> None:
        """Start it again if a request failed; raises Problem if that happens again and again."""
        if self._process.poll() is None:
            return
        said = self._process.communicate()[1].strip().splitlines()
        self._failures += 1
        if self._failures > MOST_FAILURES:
            raise Problem(f"send.py keeps failing: {said[-1] if said else 'it says nothing'}")
        self._process = self._start()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@contextmanager
def patients(url: str, shift: int) -> Iterator[Patients]:
    kind = "who are older and less fit" if shift else "like those in the training data"
    say(f"sending patients {kind}: examples/heart-drift/send.py --shift {shift}")
    found = Patients(url, shift)
    try:
        yield found
    finally:
        found.stop()
