"""What a person may tell the operator now: an action becomes a Command, or a sentence that says why it cannot be.

An approval holds for one version and its bytes, so a command names both, from the status that was just read.
"""

from heart_api.commands import Action, Command, read_command
from heart_api.heartmodel import HeartModel
from heart_cli.targets import TARGETS, NotApplicable, newest, typed, way_back

HELD = ("Paused", "Held", "Experimenting", "AwaitingApproval")
"""Phases that a person may end."""


def build_command(model: HeartModel, action: Action, version: str, *, id_: str, by: str, reason: str = "") -> Command:
    """`version` is the one that the person named, or empty.

    Raises:
        NotApplicable: it makes no sense as the model is now.
    """
    if model.spec.suspend:
        raise NotApplicable(f"{model.name} is suspended; to resume reconciliation: {go_on(model)}")
    target = TARGETS[action](model, version)
    return Command(action=action, version=target.version, digest=target.digest, id=id_, by=by, reason=reason)


def offers(model: HeartModel) -> list[str]:
    """Commands that would be accepted now and lead on from here, as a person types them."""
    candidate, serving = model.status.candidate, model.status.serving
    wanted: list[tuple[Action, str]] = []
    if candidate and (serving or candidate.phase in HELD):
        wanted = [("resume" if candidate.paused else "promote" if candidate.phase in HELD else "pause", "")]
        wanted.append(("abort", ""))
    elif serving:
        wanted = [("rollback", "")]
    if candidate is None:
        wanted += [("retry", entry.version) for entry in newest(model.status.rejected)[:1]]
    training = model.status.training
    if training and training.phase == "Failed":
        wanted.append(("retrain", ""))
    return [typed(model, action, version) for action, version in wanted if is_possible(model, action, version)]


def go_on(model: HeartModel) -> str:
    """Ends a suspension."""
    return f'kubectl patch heartmodel {model.name} --type merge -p \'{{"spec":{{"suspend":false}}}}\''


def is_possible(model: HeartModel, action: Action, version: str) -> bool:
    try:
        build_command(model, action, version, id_="-", by="-")
    except NotApplicable:
        return False
    return True


def notes(model: HeartModel, command: Command) -> list[str]:
    """What the person who gave the command should know besides."""
    asked, handled = read_command(model.annotations), model.status.command
    found = []
    if asked and (handled is None or handled.id != asked.id):
        found.append(f"This replaces the pending command {asked.action} {asked.version} by {asked.by}.")
    if command.action == "abort" and str(model.spec.version) == command.version:
        found.append(
            f"spec.version still requests version {command.version}: it stays rejected until spec.version changes "
            f"or the rejection is cleared ({typed(model, 'retry', command.version)})."
        )
    if command.action == "rollback":
        found.append(f"Rolling back from version {command.version} to version {way_back(model).version}.")
    if command.action == "retrain" and model.spec.pinned_version:
        found.append(
            f"spec.version requests version {model.spec.version}: a new version is not served until"
            f" spec.version changes."
        )
    return found
