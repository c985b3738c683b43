"""Tells the operator something, and waits until it has heard."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from heart_api.commands import Action, Command
from heart_api.heartmodel import CommandStatus
from heart_api.kube.values import Manifest
from heart_api.names import Annotation
from heart_cli.builder import build_command, notes
from heart_cli.client import Client
from heart_cli.dryrun import DryRun
from heart_cli.errors import Failure
from heart_cli.reading import parsed, read_model, read_raw

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Submitted:
    """A command on its way."""

    command: Command
    notes: tuple[str, ...]
    """What a person should know besides."""
    resource: Manifest
    """The HeartModel with the command on it."""


def submit(client: Client, name: str, action: Action, version: str, reason: str, dry: DryRun = "none") -> Submitted:
    """Writes the command for the model as it is now. A dry run stores nothing; that of `server` the API server admits.

    Raises:
        NotApplicable: it makes no sense now.
    """
    raw = read_raw(client, name)
    model = parsed(name, raw)
    command = build_command(model, action, version, id_=new_id(), by=client.user_name(), reason=reason)
    annotations = command.annotations()
    if action == "retrain":
        annotations[Annotation.RETRAIN] = command.id
    answer = client.rehearsing(dry).annotate(name, annotations)
    resource = annotated(raw, annotations) if dry == "client" else answer
    return Submitted(command, tuple(notes(model, command)), resource)


def annotated(raw: Manifest, annotations: Mapping[str, str]) -> Manifest:
    metadata = raw["metadata"]
    return {**raw, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}}


def new_id() -> str:
    """Sorts by time, and differs for two people in one second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def await_result(client: Client, name: str, command: Command, seconds: float) -> CommandStatus:
    """What came of it.

    Raises:
        Failure: not within `seconds`, or a newer command took its place.
    """
    deadline = time.monotonic() + seconds
    while True:
        model = read_model(client, name)
        handled = model.status.command
        if handled and handled.id == command.id:
            return handled
        if model.annotations.get(Annotation.COMMAND) != command.annotations()[Annotation.COMMAND]:
            raise Failure(f"The command was replaced by another one: see kubectl heart status {name}")
        if time.monotonic() > deadline:
            raise Failure(
                f"The operator has not responded within {seconds:g} s; the command is pending and will be executed "
                f"with the next reconcile: see kubectl heart status {name}"
            )
        time.sleep(POLL_SECONDS)
