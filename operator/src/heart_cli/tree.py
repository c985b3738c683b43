"""A model as a tree: versions with their pods, the candidate's analysis, gate, training, and what comes next."""

import io
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from heart_api.retrainschedule import RetrainSchedule
from heart_cli.roles import Role, phase_text, roles, step_text
from heart_cli.schedules import schedule_head, schedule_lines
from heart_cli.sections import (
    analysis_text,
    command_text,
    current_notes,
    event_text,
    experiment_text,
    gate_text,
    headline,
    mirror_text,
    next_steps,
    training_text,
)
from heart_cli.sites import site_lines
from heart_cli.text import age, clean, count
from heart_cli.view import Pod, View

STYLES = {"stable": "green", "candidate": "cyan", "previous": "blue", "rejected": "red", "leaving": "dim"}
POD_STYLES = {"ready": "green", "not ready": "yellow", "ending": "dim"}


def build_tree(view: View, now: datetime) -> Tree:
    tree = Tree(line(headline(view), "bold"), guide_style="dim")
    for role in roles(view, now):
        add_version(tree, view, role, now)
    if view.model.status.serving is None:
        tree.add(line("no version is serving yet", "yellow"))
    for words in (gate_text(view), training_text(view.model, now), *command_text(view.model, now)):
        tree.add(line(words))
    add_list(tree, "sites", site_lines(view.model, now), "default")
    for schedule in view.schedules:
        add_schedule(tree, schedule, now)
    for name in view.unreadable:
        tree.add(line(f"schedule {name} · another version of HeartOps wrote it", "yellow"))
    add_list(tree, "installation", view.installation, "red")
    add_list(tree, "now", current_notes(view), "yellow")
    add_list(tree, "next steps", next_steps(view.model), "cyan")
    if events := event_text(view, now):
        branch = tree.add(line("events"))
        for type_, words in events:
            branch.add(line(words, "red" if type_ == "Warning" else "dim"))
    return tree


def add_version(tree: Tree, view: View, role: Role, now: datetime) -> None:
    head = line(f"version {role.version} · {role.role}", STYLES[role.role])
    branch = tree.add(head.append(line("".join(f" · {note}" for note in role.notes), "default")))
    candidate = view.model.status.candidate
    if candidate and role.role == "candidate":
        branch.add(line(f"{step_text(view.model, candidate, now)} · {phase_text(candidate, now)}"))
    for pod in view.pods:
        if pod.version == role.version:
            branch.add(pod_line(pod, now))
    if candidate and role.role == "candidate":
        add_analysis(branch, view, now)


def pod_line(pod: Pod, now: datetime) -> Text:
    words = (f"pod {pod.name}", pod.state, count(pod.restarts, "restart"), age(pod.created, now), pod.problem)
    return line(" · ".join(filter(None, words)), POD_STYLES[pod.state])


def add_analysis(branch: Tree, view: View, now: datetime) -> None:
    candidate = view.model.status.candidate
    if candidate and candidate.analysis:
        verdict, *tracks = analysis_text(candidate.analysis, now)
        add_list(branch, verdict, tracks, "default")
    if candidate and candidate.experiment and (spec := view.model.spec.rollout.experiment):
        verdict, *figures = experiment_text(spec, candidate.experiment, now)
        add_list(branch, verdict, figures, "default")
    if candidate and candidate.mirror:
        branch.add(line(mirror_text(candidate.mirror)))


def add_schedule(tree: Tree, schedule: RetrainSchedule, now: datetime) -> None:
    branch = tree.add(line(schedule_head(schedule, now)))
    for words in schedule_lines(schedule, now):
        branch.add(line(words))


def add_list(tree: Tree, title: str, words: Iterable[str], style: str) -> None:
    """Nothing when there is nothing to list."""
    if found := list(words):
        branch = tree.add(line(title))
        for entry in found:
            branch.add(line(entry, style))


def line(words: str, style: str = "") -> Text:
    """Plain text, never markup: messages may come from any user who can write to the model."""
    return Text(clean(words), style)


def render(tree: Tree) -> str:
    """Plain text, a line for each entry however long it is: for pipes and files."""
    file = io.StringIO()
    Console(file=file, width=10_000, no_color=True, legacy_windows=False).print(tree, soft_wrap=True)
    return "\n".join(text.rstrip() for text in file.getvalue().splitlines()) + "\n"
