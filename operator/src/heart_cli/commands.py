"""The commands that tell the operator something."""

import functools
from typing import Any

import click

from heart_api.commands import Action
from heart_cli.client import Client
from heart_cli.completing import complete_models
from heart_cli.dryrun import DRY_RUN, DryRun, told
from heart_cli.errors import Failure
from heart_cli.options import NAME, VERSION, Function, Length, ReasonText, on_cluster, version_text
from heart_cli.output import OBJECT, print_object
from heart_cli.reading import read_raw
from heart_cli.submit import Submitted, await_result, submit
from heart_cli.text import clean

NAMED_VERSION = click.option("--version", type=VERSION, help="Fail unless this version is the candidate.")
MODEL = click.argument("name", type=NAME, shell_complete=complete_models)
COMMON_OPTIONS = (
    click.option("--reason", type=ReasonText(), default="", help="Reason; recorded in the history and in an Event."),
    click.option(
        "--wait/--no-wait", default=True, help="Wait until the operator has executed the command (the default)."
    ),
    click.option("--timeout", type=Length(), default="30s", show_default=True, help="Longest time to wait."),
    DRY_RUN,
    OBJECT,
)


def command(function: Function) -> Function:
    """`function` turns a command's own options into (action, version); the rest is the same for all."""

    @functools.wraps(function)
    def run(
        client: Client,
        name: str,
        reason: str,
        wait: bool,
        timeout: float,
        dry: DryRun,
        output: str | None,
        **options: Any,
    ) -> None:
        action, version = function(**options)
        give(client, name, action, version_text(version), reason, timeout if wait else None, dry, output)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(COMMON_OPTIONS), on_cluster(run))


def give(
    client: Client,
    name: str,
    action: Action,
    version: str,
    reason: str,
    timeout: float | None,
    dry: DryRun,
    output: str | None,
) -> None:
    """Writes the command; with a timeout (seconds) also waits for what comes of it. A dry run changes nothing.

    `output`: print the HeartModel in this format, and not what was done.
    """
    given = submit(client, name, action, version, reason, dry)
    for note in given.notes:
        click.echo(clean(note), err=True)
    resource = given.resource
    if timeout is None or dry != "none":
        done = requested(name, given, dry)
    else:
        done, resource = finish(client, name, given, timeout), read_raw(client, name)
    if output is None:
        click.echo(clean(done))
    else:
        print_object(output, resource)


def finish(client: Client, name: str, given: Submitted, timeout: float) -> str:
    """What came of the command. Raises Failure."""
    handled = await_result(client, name, given.command, timeout)
    if not handled.done:
        raise Failure(f"{subject(name, given)} failed: {handled.result}")
    return f"{subject(name, given)}: {handled.result or 'done'}"


def requested(name: str, given: Submitted, dry: DryRun) -> str:
    return told(f"{subject(name, given)} {'' if dry == 'none' else 'would be '}requested by {given.command.by}", dry)


def subject(name: str, given: Submitted) -> str:
    return f"{name}: {given.command.action} {given.command.version}".rstrip()


@click.command()
@MODEL
@click.option("--full", is_flag=True, help="Skip the remaining steps and the analysis.")
@NAMED_VERSION
@command
def promote(full: bool, version: int | None) -> tuple[Action, int | None]:
    """Promote the candidate: end its pause, or approve it."""
    return ("promote-full" if full else "promote"), version


@click.command()
@MODEL
@NAMED_VERSION
@command
def abort(version: int | None) -> tuple[Action, int | None]:
    """Abort the rollout and reject the candidate."""
    return "abort", version


@click.command()
@MODEL
@click.option("--to", "version", type=VERSION, help="Fail unless the rollback targets this version.")
@command
def rollback(version: int | None) -> tuple[Action, int | None]:
    """Roll back to the previous version.

    The version that serves is rejected.
    """
    return "rollback", version


@click.command()
@MODEL
@click.argument("version", type=VERSION, required=False)
@command
def retry(version: int | None) -> tuple[Action, int | None]:
    """Clear the rejection of a version.

    By default that of the latest rejected version.
    """
    return "retry", version


@click.command()
@MODEL
@NAMED_VERSION
@command
def pause(version: int | None) -> tuple[Action, int | None]:
    """Pause the rollout at its current step."""
    return "pause", version


@click.command()
@MODEL
@NAMED_VERSION
@command
def resume(version: int | None) -> tuple[Action, int | None]:
    """Resume a paused rollout."""
    return "resume", version


@click.command()
@MODEL
@command
def retrain() -> tuple[Action, int | None]:
    """Start a new training on the current data."""
    return "retrain", None


COMMANDS = (promote, abort, rollback, retry, pause, resume, retrain)
