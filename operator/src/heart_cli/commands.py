"""The commands that tell the operator something."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from heart_api.commands import Action
from heart_cli.choosing import nothing_found
from heart_cli.client import Client
from heart_cli.completing import complete_models
from heart_cli.dryrun import DRY_RUN, DryRun, told
from heart_cli.errors import Failure
from heart_cli.options import NAME, VERSION, Function, Length, ReasonText, on_cluster, version_text
from heart_cli.output import OBJECT, SELECTOR, print_object
from heart_cli.reading import read_models, read_raw
from heart_cli.submit import Submitted, await_result, submit
from heart_cli.targets import NotApplicable
from heart_cli.text import clean

NAMED_VERSION = click.option("--version", type=VERSION, help="Fail unless this version is the candidate.")
MODEL = click.argument("name", type=NAME, required=False, shell_complete=complete_models)
COMMON_OPTIONS = (
    SELECTOR,
    click.option("--reason", type=ReasonText(), default="", help="Reason; recorded in the history and in an Event."),
    click.option(
        "--wait/--no-wait", default=True, help="Wait until the operator has executed the command (the default)."
    ),
    click.option("--timeout", type=Length(), default="30s", show_default=True, help="Longest time to wait."),
    DRY_RUN,
    OBJECT,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person has typed, whichever model it is for."""

    action: Action
    version: str
    """Empty: the command's own choice."""
    reason: str
    timeout: float | None
    """Seconds; None: do not wait for what comes of it."""
    dry: DryRun
    output: str | None
    """Format of the HeartModel; None: say what was done."""


def command(function: Function) -> Function:
    """`function` turns a command's own options into (action, version); the rest is the same for all."""

    @functools.wraps(function)
    def run(
        client: Client,
        name: str | None,
        selector: str,
        reason: str,
        wait: bool,
        timeout: float,
        dry: DryRun,
        output: str | None,
        **options: Any,
    ) -> None:
        action, version = function(**options)
        if (name is None) == (selector == ""):
            raise click.UsageError("give NAME or --selector")
        if selector and version is not None:
            raise click.UsageError("a version is one model's: it cannot be combined with --selector")
        names = [name] if name else [model.name for model in read_models(client, selector)]
        wish = Wish(action, version_text(version), reason, timeout if wait else None, dry, output)
        give_each(client, names, wish)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(COMMON_OPTIONS), on_cluster(run))


def give_each(client: Client, names: Sequence[str], wish: Wish) -> None:
    """To each model, whatever became of the others; ends with exit code 1 if one of several did not take it."""
    if len(names) == 1:
        give(client, names[0], wish)
        return
    if not names:
        nothing_found(client, everywhere=False)
    failed = False
    for name in names:
        try:
            give(client, name, wish)
        except (Failure, NotApplicable) as error:
            click.echo(clean(f"Error: {error}"), err=True)
            failed = True
    if failed:
        click.get_current_context().exit(1)


def give(client: Client, name: str, wish: Wish) -> None:
    """Writes the command, and waits for what comes of it if it is wished. A dry run changes nothing. Raises Failure."""
    given = submit(client, name, wish.action, wish.version, wish.reason, wish.dry)
    for note in given.notes:
        click.echo(clean(note), err=True)
    resource = given.resource
    if wish.timeout is None or wish.dry != "none":
        done = requested(name, given, wish.dry)
    else:
        done, resource = finish(client, name, given, wish.timeout), read_raw(client, name)
    if wish.output is None:
        click.echo(clean(done))
    else:
        print_object(wish.output, resource)


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
