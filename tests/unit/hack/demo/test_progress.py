"""What the demo reports while a version is trained and rolled out, and when it stops waiting."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hack.cluster.gobuild import KUBERNETES, progress
from hack.cluster.report import Problem
from hack.demo import model as demo_model
from hack.demo.choice import Kind
from hack.demo.forecast import Forecast
from hack.demo.place import Place
from hack.demo.progress import Progress, outcome
from hack.demo.traffic import Traffic, summary


def model(generation: int = 1, **conditions: tuple[str, str, str]) -> dict[str, Any]:
    shown = [
        {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1}
        for kind, (status, reason, message) in conditions.items()
    ]
    return {"metadata": {"generation": generation}, "status": {"conditions": shown}}


def test_each_change_is_reported_once_and_in_order() -> None:
    progress = Progress()
    first = model(Ready=("False", "WaitingForTraining", "soon"), Trained=("Unknown", "TrainingStarted", "Job x"))
    assert list(progress.changes(first)) == [
        "Trained=Unknown TrainingStarted: Job x",
        "Ready=False WaitingForTraining: soon",
    ]
    assert list(progress.changes(first)) == []
    second = model(Ready=("False", "WaitingForTraining", "soon"), Trained=("True", "TrainingSucceeded", "version 1"))
    assert list(progress.changes(second)) == ["Trained=True TrainingSucceeded: version 1"]


SERVING = {
    "Trained": ("True", "TrainingSucceeded", ""),
    "GatePassed": ("True", "GatePassed", ""),
    "RolloutSucceeded": ("True", "Promoted", ""),
    "Available": ("True", "Serving", ""),
    "Ready": ("True", "Serving", "version 1"),
}


def test_it_ends_when_the_version_for_this_spec_serves() -> None:
    assert outcome(model(**SERVING)) == "Ready"


@pytest.mark.parametrize("kind", ["Trained", "GatePassed", "RolloutSucceeded"])
def test_a_former_version_that_still_serves_is_not_the_end(kind: str) -> None:
    assert outcome(model(**SERVING | {kind: ("Unknown", "RegistryUnavailable", "MLflow is starting")})) == ""


def test_an_answer_about_an_older_spec_ends_nothing() -> None:
    assert outcome(model(generation=2, **SERVING)) == ""
    assert outcome(model(generation=2, Trained=("False", "DataInvalid", "row 3"))) == ""


def test_a_rejected_version_ends_it_though_the_former_one_serves() -> None:
    assert outcome(model(**SERVING | {"GatePassed": ("False", "GateFailed", "roc_auc 0.7 < 0.8")})).startswith(
        "GateFailed"
    )


def test_a_final_reason_ends_it_with_the_conditions_message() -> None:
    assert outcome(model(Trained=("False", "DataInvalid", "row 3"))) == "DataInvalid: row 3"
    assert outcome(model(Ready=("False", "RegistryUnavailable", "MLflow is starting"))) == ""
    assert outcome({}) == "The HeartModel was deleted."


# --- a rollout ------------------------------------------------------------------------------------

CANDIDATE = {"version": "2", "phase": "Paused", "weight": 10, "actualWeight": 25, "step": 1}
ANALYSIS = {"verdict": "Passed", "candidate": {"requests": 143}, "stable": {"requests": 431, "errors": 2}}


def rollout(**candidate: Any) -> dict[str, Any]:
    found = model(RolloutSucceeded=("Unknown", "RollingOut", "step 2 of 4"))
    found["status"] |= {"serving": {"version": "1"}, "candidate": CANDIDATE | candidate}
    return found


def test_share_step_and_analysis_of_a_candidate_are_reported_as_they_change() -> None:
    progress = Progress()
    assert list(progress.changes(rollout())) == [
        "RolloutSucceeded=Unknown RollingOut: step 2 of 4",
        "  rollout  | version 2: Paused, 10% of the traffic wanted, 25% by its pods",
    ]
    assert list(progress.changes(rollout(analysis=ANALYSIS))) == [
        "  analysis | Passed: candidate 143 requests, 0 errors; stable 431 requests, 2 errors"
    ]
    assert list(progress.changes(rollout(analysis=ANALYSIS))) == []
    assert list(progress.changes(rollout(analysis=ANALYSIS, weight=50, actualWeight=50))) == [
        "  rollout  | version 2: Paused, 50% of the traffic"
    ]


def test_one_message_of_several_conditions_is_shown_once() -> None:
    same = "Version 2 is rolling out"
    found = model(RolloutSucceeded=("Unknown", "RollingOut", same), Ready=("False", "RollingOut", same))
    assert list(Progress().changes(found)) == [f"RolloutSucceeded=Unknown RollingOut: {same}"]


PLUGIN = """#!{python}
import signal, sys
open({calls!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("5 requests, 0 failed")))
print("sending", flush=True)
signal.pause()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """`kubectl get` answers with one file after the other, at last always with the last one."""
    plugin, kubectl = tmp_path / "kubectl-heart", tmp_path / "kubectl"
    plugin.write_text(PLUGIN.format(python=sys.executable, calls=str(tmp_path / "calls")))
    kubectl.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        f"if 'heartmodel' in sys.argv:\n"
        f"    files = sorted(pathlib.Path({str(tmp_path)!r}).glob('answer-*'))\n"
        "    print(files[0].read_text())\n"
        "    files[1:] and files[0].unlink()\n"
        "else:\n    print('{}')\n"
    )
    for path in (plugin, kubectl):
        path.chmod(0o755)
    return Place(Kind.USER, tmp_path / "kubeconfig", str(kubectl), "", plugin)


def answers(place: Place, *models: dict[str, Any]) -> None:
    for number, each in enumerate(models):
        (place.kubeconfig.parent / f"answer-{number}").write_text(json.dumps(each))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hack.demo.model.time.sleep", lambda _: None)


def calls(place: Place) -> list[str]:
    found = place.kubeconfig.parent / "calls"
    return found.read_text().splitlines() if found.exists() else []


def test_a_rollout_gets_requests_until_it_ends(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """The first version is not compared with anything: it needs none."""
    answers(place, model(), rollout(), rollout(analysis=ANALYSIS), model(**SERVING))
    demo_model.wait_until_ready(place)
    said = capsys.readouterr().err
    assert said.count("sending requests") == 1
    assert "analysis | Passed" in said


def test_the_first_version_needs_no_requests(place: Place) -> None:
    answers(place, model(), model(**SERVING))
    demo_model.wait_until_ready(place)
    assert calls(place) == []


def test_requests_are_stopped_with_their_summary(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    traffic = Traffic(place)
    traffic.start()
    assert traffic._process is not None
    assert traffic._process.stdout is not None
    assert traffic._process.stdout.readline() == "sending\n"
    traffic.start()
    traffic.stop()
    assert "load     | 5 requests, 0 failed" in capsys.readouterr().err
    assert calls(place) == ["load heart-disease -n clinic --rate 20 --for 20m"]


def test_of_the_load_only_the_summary_is_shown() -> None:
    output = "10s: 200 requests in 10.0 s (20.0/s), 0 failed\ninterrupted\n240 requests in 12.0 s, 0 failed\nVERSION\n"
    assert summary(output) == ["240 requests in 12.0 s, 0 failed", "VERSION"]
    assert summary("Error: no pod is ready\n") == ["Error: no pod is ready"]


@pytest.mark.parametrize("candidate", [{"paused": True}, {"phase": "AwaitingApproval"}])
def test_a_rollout_that_waits_for_a_person_ends_the_demo(place: Place, candidate: dict[str, Any]) -> None:
    answers(place, rollout(**candidate))
    with pytest.raises(Problem, match="kubectl heart promote heart-disease -n clinic"):
        demo_model.wait_until_ready(place)


@pytest.mark.parametrize(("found", "name"), [(model(), "training"), (rollout(), "rollout")])
def test_no_wait_is_without_a_bound(
    place: Place, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], name: str
) -> None:
    monkeypatch.setattr(demo_model, f"{name.upper()}_MINUTES", 0)
    answers(place, found)
    with pytest.raises(Problem, match=f"The {name} has not ended after 0 minutes.*kubectl heart status"):
        demo_model.wait_until_ready(place)


# --- how long it takes ----------------------------------------------------------------------------


def test_what_is_left_follows_the_speed_of_this_machine() -> None:
    now = [0.0]
    forecast = Forecast({"cluster": 100, "images": 50, "chart": 50}, lambda: now[0])
    now[0] = 100
    assert forecast.left("cluster") == 100
    now[0] = 300
    assert forecast.left("images") == 100
    assert forecast.left("chart") == 0


def test_compiling_says_how_much_is_done_and_left() -> None:
    assert progress(0, 10, KUBERNETES).startswith(f"0 of {KUBERNETES.compiled} packages, about ")
    half = KUBERNETES.compiled // 2
    assert progress(half, 300, KUBERNETES) == f"{half} of {KUBERNETES.compiled} packages, about 5 min left"
    assert progress(10 * KUBERNETES.compiled, 600, KUBERNETES).endswith("less than a minute left")
    assert progress(7, 10, None) == "7 packages"
