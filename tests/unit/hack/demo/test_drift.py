"""`make demo SHOW=drift`: its resources, what it says, and when it ends."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from hack.cluster.report import Problem
from hack.demo import drift
from hack.demo.drift import EXAMPLE, PYTHON, patients
from heart_api.heartmodel import HeartModelSpec
from heart_api.retrainschedule import RetrainScheduleSpec


class FakePlace:
    """A cluster that goes one state further with each pause; the model serves from the start."""

    def __init__(self, *statuses: dict[str, Any]) -> None:
        self._statuses = list(statuses)
        self.applied: list[dict[str, Any]] = []

    def pause(self) -> None:
        assert len(self._statuses) > 1, "it waits for ever"
        self._statuses.pop(0)

    def get(self, kind: str, *_: object) -> dict[str, Any]:
        if kind == "retrainschedule":
            return {"status": self._statuses[0]}
        kinds = ("Trained", "GatePassed", "RolloutSucceeded", "Available", "Ready")
        shown = [{"type": each, "status": "True", "reason": "Good", "observedGeneration": 1} for each in kinds]
        return {"metadata": {"generation": 1}, "status": {"conditions": shown}}

    def kubectl(self, *words: Any, stdin: str | None = None) -> str:
        if words[0] == "patch":
            return json.dumps(merged(yaml.safe_load(words[3].read_text()), json.loads(words[6])))
        self.applied.append(json.loads(stdin or ""))
        return ""

    def heart(self, *_: object) -> str:
        return "VERSION   FROM"


def merged(resource: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, as `kubectl patch --local --type=merge` does it."""
    found = dict(resource)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key) or {}, value) if isinstance(value, dict) else value
    return found


def status(verdict: str = "", *runs: dict[str, Any]) -> dict[str, Any]:
    return {"lastDrift": {"verdict": verdict, "message": "as found"}, "runs": list(runs)} if verdict else {"runs": []}


def run(phase: str, time: str = "2026-11-30T12:00:00Z") -> dict[str, Any]:
    return {"time": time, "cause": "Drift", "phase": phase, "version": "2", "message": ""}


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakePlace], list[int]]:
    """The story without a proxy, without patients and without time; returns the shifts that were sent."""
    sent: list[int] = []

    @contextmanager
    def patients(url: str, shift: int) -> Iterator[SimpleNamespace]:
        sent.append(shift)
        yield SimpleNamespace(keep_sending=lambda: None)

    @contextmanager
    def api_proxy(place: FakePlace) -> Iterator[str]:
        yield "http://127.0.0.1:1"

    def run(place: FakePlace) -> list[int]:
        monkeypatch.setattr(drift, "patients", patients)
        monkeypatch.setattr(drift, "api_proxy", api_proxy)
        monkeypatch.setattr(drift.time, "sleep", lambda seconds: place.pause())
        drift.show(place)  # type: ignore[arg-type]
        return sent

    return run


def test_it_says_step_by_step_what_happens(
    show: Callable[[FakePlace], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    place = FakePlace(
        status(),
        status("NoDrift"),
        status("Unconfirmed"),
        status("Drift", run("Training")),
        status("Drift", run("RollingOut")),
        status("Drift", run("Succeeded")),
    )
    assert show(place) == [0, 1]
    printed = capsys.readouterr()
    said = printed.out + printed.err
    for text in ("NoDrift: as found", "Unconfirmed", "Training (Drift), version 2", "version 2 was trained", "VERSION"):
        assert text in said


def test_its_resources_are_valid(show: Callable[[FakePlace], list[int]]) -> None:
    place = FakePlace(status(), status("NoDrift"), status("Drift", run("Succeeded")))
    show(place)
    model, schedule = place.applied
    assert HeartModelSpec.model_validate(model["spec"]).dataset.include_feedback, "the next version learns the patients"
    assert RetrainScheduleSpec.model_validate(schedule["spec"]).schedule is None


def test_a_retraining_that_fails_is_the_end_with_its_reason(show: Callable[[FakePlace], list[int]]) -> None:
    with pytest.raises(Problem, match="ended as Failed"):
        show(FakePlace(status(), status("NoDrift"), status("Drift", run("Failed"))))


def test_it_does_not_wait_for_ever(show: Callable[[FakePlace], list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "MINUTES", 0)
    with pytest.raises(Problem, match="a check without drift"):
        show(FakePlace(status(), status()))


def test_an_earlier_run_is_not_taken_for_this_one() -> None:
    old, new = run("Succeeded", "2026-11-29T12:00:00Z"), run("Succeeded")
    assert drift.ended([new, old], {old["time"]}) == [new]
    assert drift.ended([old], {old["time"]}) == []
    assert drift.ended([run("Training"), old], {old["time"]}) == []


def test_a_sender_that_keeps_failing_ends_the_demo_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "send.py").write_text("raise SystemExit('the model does not answer')")
    monkeypatch.setattr(drift, "EXAMPLE", tmp_path)

    def keep_sending() -> None:
        with patients("http://localhost", shift=0) as sent:
            while True:
                sent.keep_sending()

    with pytest.raises(Problem, match="the model does not answer"):
        keep_sending()


def test_the_sender_runs_with_what_make_demo_has_installed() -> None:
    done = subprocess.run([PYTHON, EXAMPLE / "send.py", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
