"""What stands under the versions: the gate, training, a person's last command, what is waited for, what was said."""

from collections.abc import Iterable
from datetime import datetime

from heart_api.commands import read_command
from heart_api.experiment import Experiment
from heart_api.heartmodel import AnalysisStatus, ConditionStatus, HeartModel, TrackCounts, TrainingStatus
from heart_api.names import Condition, Reason
from heart_api.status import ArmStatus, ExperimentStatus, MirrorStatus
from heart_cli.builder import go_on, offers
from heart_cli.targets import typed
from heart_cli.text import age, count
from heart_cli.view import View

GATE_VERDICTS = {"True": "passed", "False": "failed", "Unknown": "pending"}
REPORTED = (
    Condition.READY,
    Condition.PROGRESSING,
    Condition.TRAINED,
    Condition.GATE_PASSED,
    Condition.ROLLOUT_SUCCEEDED,
)
"""Conditions that say what is missing, the most general first."""
SHOWN_EVENTS = 5


def headline(view: View) -> str:
    """`clinic/heart · Ready · spec.version: latest`."""
    model, ready = view.model, view.condition(Condition.READY)
    if ready is None:
        state = "not reconciled yet"
    else:
        state = "Ready" if ready.status == "True" else f"not Ready: {ready.reason}"
    return f"{model.namespace}/{model.name} · {state} · spec.version: {model.spec.version}"


def analysis_text(found: AnalysisStatus, now: datetime) -> list[str]:
    """The verdict, then one line for each check that decided and for each of the two versions."""
    failures = count(found.consecutive_failures, "consecutive failure")
    intervals = f"{count(found.intervals, 'interval')}, last {age(found.time, now)} ago, {failures}"
    checks = found.message.split("; ") if found.message else []
    tracks = (track("stable   ", found.stable), track("candidate", found.candidate))
    return [f"analysis {found.verdict} ({intervals})", *checks, *tracks]


def track(name: str, found: TrackCounts) -> str:
    share = f" ({found.errors / found.requests:.1%})" if found.requests else ""
    return f"{name} {found.requests} requests, {found.errors} errors{share}, {found.invalid} invalid"


def experiment_text(spec: Experiment, found: ExperimentStatus, now: datetime) -> list[str]:
    """The verdict, then one line for each group of users, and one for their difference."""
    ends = f"for {age(found.since, now)}, {spec.duration} at most"
    lines = [arm_text("stable   ", found.stable), arm_text("candidate", found.candidate)]
    if found.difference is not None:
        lines.append(f"difference {found.difference:+.4g} (between {found.low:+.4g} and {found.high:+.4g})")
    return [f"experiment {found.verdict}: {spec.metric} ({ends})", *lines]


def arm_text(name: str, found: ArmStatus) -> str:
    if found.mean is None:
        return f"{name} nothing known of its users yet"
    return f"{name} {found.mean:.4g} (between {found.low:.4g} and {found.high:.4g}) of {found.count}"


def mirror_text(found: MirrorStatus) -> str:
    share = f" ({found.different / found.compared:.1%})" if found.compared else ""
    return (
        f"mirror: {found.compared} responses compared, {found.different} differ{share}, {found.failed} failed, "
        f"largest difference {found.max_difference:.3g}"
    )


def gate_text(view: View) -> str:
    """The newest verdict, with its figures."""
    found = view.condition(Condition.GATE_PASSED)
    if found is None:
        return "gate: not evaluated yet"
    return f"gate {GATE_VERDICTS[found.status]}: {found.message}"


def training_text(model: HeartModel, now: datetime) -> str:
    training = model.status.training
    if training is None:
        return "training: none yet"
    phase = "Pending" if training.reason == Reason.TRAINING_PENDING else training.phase
    return f"training {phase}{since(training, now)}: {training_result(training)}"


def since(training: TrainingStatus, now: datetime) -> str:
    if training.phase != "Running" and training.finished_at:
        return f" {age(training.finished_at, now)} ago"
    return f" for {age(training.started_at, now)}" if training.phase == "Running" and training.started_at else ""


def training_result(training: TrainingStatus) -> str:
    if training.phase == "Succeeded":
        return f"version {training.version} (Job {training.job})"
    if training.phase == "Failed":
        return ": ".join(filter(None, (training.reason, training.message)))
    return f"Job {training.job}"


def command_text(model: HeartModel, now: datetime) -> list[str]:
    """The last command, its user and its result; nothing if there was none."""
    asked, handled = read_command(model.annotations), model.status.command
    found = []
    if asked and (handled is None or handled.id != asked.id):
        found.append(f"pending command: {asked.action} {asked.version} by {asked.by}")
    if handled:
        why = f" ({handled.reason})" if handled.reason else ""
        what = " ".join(filter(None, (handled.action, handled.version)))
        found.append(f"last command: {what} by {handled.by}, {age(handled.time, now)} ago{why}: {handled.result}")
    return found


def current_notes(view: View) -> list[str]:
    """What is in progress, waiting or failed, each reported once."""
    candidate = view.model.status.candidate
    found = [entry for type_ in REPORTED if (entry := view.condition(type_)) and entry.status != "True"]
    if candidate is None or not candidate.message:
        return once(found)
    others = [entry for entry in found if entry.reason != Reason.ROLLING_OUT and candidate.message not in entry.message]
    return [f"version {candidate.version}: {candidate.waits_for}", *once(others)]


def once(found: Iterable[ConditionStatus]) -> list[str]:
    """Several conditions may have one cause: the first of each reason speaks."""
    first: dict[str, str] = {}
    for entry in found:
        first.setdefault(entry.reason, f"{entry.reason}: {entry.message}")
    return list(first.values())


def next_steps(model: HeartModel) -> list[str]:
    """Commands that make sense now."""
    if model.spec.suspend:
        return [go_on(model)]
    training = model.status.training
    logs = [f"{typed(model, 'logs')} --training"] if training and training.phase != "Succeeded" else []
    return [*offers(model), *logs]


def event_text(view: View, now: datetime) -> list[tuple[str, str]]:
    """(type, line), the newest last."""
    return [
        (event.type, f"{age(event.time, now)} ago · {event.reason} · {event.message}")
        for event in view.events[-SHOWN_EVENTS:]
    ]
