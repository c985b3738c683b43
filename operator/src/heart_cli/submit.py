"""Tells the operator something, and waits until it has heard."""

import secrets
import time
from datetime import UTC, datetime
from typing import Literal

from heart_api.commands import Action, Command
from heart_api.heartmodel import CommandStatus
from heart_api.names import Annotation
from heart_cli.builder import build_command, notes
from heart_cli.client import Client
from heart_cli.errors import Failure
from heart_cli.reading import read_model

POLL_SECONDS = 0.5
DryRun = Literal["none", "client", "server"]


def submit(
    client: Client, name: str, action: Action, version: str, reason: str, dry: DryRun = "none"
) -> tuple[Command, list[str]]:
    """Writes the command for the model as it is now; what a person should know besides comes with it.

    A `client` dry run writes nothing; in a `server` one the API server admits the write and does not store it.

    Raises:
        NotApplicable: it makes no sense now.
    """
    model = read_model(client, name)
    command = build_command(model, action, version, id_=new_id(), by=client.user_name(), reason=reason)
    annotations = command.annotations()
    if action == "retrain":
        annotations[Annotation.RETRAIN] = command.id
    if dry != "client":
        client.annotate(name, annotations, dry_run=dry == "server")
    return command, notes(model, command)


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
