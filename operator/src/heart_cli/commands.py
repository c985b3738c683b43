"""The commands that tell the operator something."""

import functools
from typing import Any

import click

from heart_api.commands import Action
from heart_cli.client import Client
from heart_cli.options import NAME, VERSION, Function, ReasonText, on_cluster, version_text
from heart_cli.submit import await_result, submit
from heart_cli.text import clean

NAMED_VERSION = click.option("--version", type=VERSION, help="Only if this version is the candidate.")
MODEL = click.argument("name", type=NAME)
COMMON_OPTIONS = (
    click.option("--reason", type=ReasonText(), default="", help="Kept in the history and in an event."),
    click.option("--wait/--no-wait", default=True, help="Wait until the operator has carried it out (the default)."),
    click.option("--timeout", type=click.FloatRange(min=0), default=30, show_default=True, help="Seconds to wait."),
)


def command(function: Function) -> Function:
    """`function` turns a command's own options into (action, version); the rest is the same for all."""

    @functools.wraps(function)
    def run(client: Client, name: str, reason: str, wait: bool, timeout: float, **options: Any) -> None:
        action, version = function(**options)
        give(client, name, action, version_text(version), reason, timeout if wait else None)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(COMMON_OPTIONS), on_cluster(run))


def give(client: Client, name: str, action: Action, version: str, reason: str, timeout: float | None) -> None:
    """Writes the command; with a timeout (seconds) also waits for what comes of it."""
    command, notes = submit(client, name, action, version, reason)
    for note in notes:
        click.echo(clean(note), err=True)
    subject = f"{name}: {command.action} {command.version}".rstrip()
    if timeout is None:
        click.echo(f"{subject} is asked for, by {clean(command.by)}")
        return
    handled = await_result(client, name, command, timeout)
    if not handled.done:
        raise click.ClickException(clean(f"{subject} was not carried out: {handled.result}"))
    click.echo(clean(f"{subject}: {handled.result or 'done'}"))


@click.command()
@MODEL
@click.option("--full", is_flag=True, help="Skip the remaining steps and their analysis.")
@NAMED_VERSION
@command
def promote(full: bool, version: int | None) -> tuple[Action, int | None]:
    """Let the candidate go on: end its pause, or approve it."""
    return ("promote-full" if full else "promote"), version


@click.command()
@MODEL
@NAMED_VERSION
@command
def abort(version: int | None) -> tuple[Action, int | None]:
    """Reject the candidate; what serves goes on."""
    return "abort", version


@click.command()
@MODEL
@click.option("--to", "version", type=VERSION, help="Only if this is the version that comes back.")
@command
def rollback(version: int | None) -> tuple[Action, int | None]:
    """Reject what serves, and go back to what did before."""
    return "rollback", version


@click.command()
@MODEL
@click.argument("version", type=VERSION, required=False)
@command
def retry(version: int | None) -> tuple[Action, int | None]:
    """Let a rejected version (the newest) be tried again."""
    return "retry", version


@click.command()
@MODEL
@NAMED_VERSION
@command
def pause(version: int | None) -> tuple[Action, int | None]:
    """Hold the candidate at its step."""
    return "pause", version


@click.command()
@MODEL
@NAMED_VERSION
@command
def resume(version: int | None) -> tuple[Action, int | None]:
    """Let a paused candidate go on."""
    return "resume", version


@click.command()
@MODEL
@command
def retrain() -> tuple[Action, int | None]:
    """Train again, on the data that there is now."""
    return "retrain", None


COMMANDS = (promote, abort, rollback, retry, pause, resume, retrain)
