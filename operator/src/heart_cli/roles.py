"""One line for each version: its role, and where it stands."""

from dataclasses import dataclass
from datetime import datetime

from heart_api.heartmodel import CandidateStatus, HeartModel, RolloutStep
from heart_api.pauses import pause_end
from heart_api.times import read
from heart_cli.targets import newest
from heart_cli.text import age, clock, left, short
from heart_cli.view import View

SHOWN_REJECTIONS = 3


@dataclass(frozen=True, slots=True)
class Role:
    """A version and its role. `notes` describe its state; `version` may have pods without a role."""

    version: str
    role: str
    notes: tuple[str, ...] = ()


def roles(view: View, now: datetime) -> list[Role]:
    """The serving version, the candidate, then the previous version; rejected versions newest first."""
    found = [*stable(view, now), *candidate(view, now), *previous(view, now), *rejected(view, now)]
    known = {role.version for role in found}
    living = {entry.version for entry in view.deployments} | {pod.version for pod in view.pods}
    return found + [Role(version, "leaving", ("has no role any more",)) for version in sorted(living - known)]


def stable(view: View, now: datetime) -> list[Role]:
    serving = view.model.status.serving
    if serving is None:
        return []
    pods = f"{serving.ready_replicas} of {serving.replicas} pods ready"
    return [Role(serving.version, "stable", (f"serving for {age(serving.since, now)}", pods, short(serving.digest)))]


def candidate(view: View, now: datetime) -> list[Role]:
    found = view.model.status.candidate
    if found is None:
        return []
    deployment = view.deployment(found.version)
    pods = f"{deployment.ready} of {deployment.replicas} pods ready" if deployment else "no pods yet"
    weight = f"{found.weight}% of the traffic, actual {found.actual_weight}%"
    return [Role(found.version, "candidate", (f"for {age(found.since, now)}", weight, pods, short(found.digest)))]


def previous(view: View, now: datetime) -> list[Role]:
    found = view.model.status.previous
    if found is None:
        return []
    warm = f"warm until {clock(found.warm_until)} UTC ({left(read(found.warm_until), now)})"
    return [Role(found.version, "previous", (warm, short(found.digest)))]


def rejected(view: View, now: datetime) -> list[Role]:
    """The newest few: `history` has them all."""
    entries = newest(view.model.status.rejected)[:SHOWN_REJECTIONS]
    return [
        Role(entry.version, "rejected", (f"{entry.reason} {age(entry.time, now)} ago", entry.message))
        for entry in entries
    ]


def phase_text(found: CandidateStatus, now: datetime) -> str:
    """What the candidate does; the status's own message says what it waits for."""
    return f"{found.phase} for {age(found.phase_since, now)}" if found.phase_since else found.phase


def step_text(model: HeartModel, found: CandidateStatus, now: datetime) -> str:
    """Where in `spec.rollout.steps` the candidate is."""
    steps = model.spec.rollout.steps
    if model.status.serving is None:
        return "first version: no steps"
    if experiment := model.spec.rollout.experiment:
        return f"experiment with {experiment.split}% of the users"
    if not steps:
        return "no steps: all traffic at once"
    if found.step >= len(steps):
        return f"all {len(steps)} steps done"
    return f"step {found.step + 1} of {len(steps)}: {spell_step(steps[found.step], found, now)}"


def spell_step(step: RolloutStep, found: CandidateStatus, now: datetime) -> str:
    if step.set_weight is not None:
        return f"{step.set_weight}% of the traffic"
    if step.pause is None or step.pause.duration is None:
        return "pause until promoted"
    end = pause_end(found, step)
    if found.paused or end is None:
        return f"pause {step.pause.duration}"
    return f"pause {step.pause.duration}, " + (left(end, now) if end > now else "over")
