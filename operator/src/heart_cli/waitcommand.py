"""`kubectl heart wait`: for pipelines, with a line for each change and an exit code."""

import time
from datetime import UTC, datetime

import click

from heart_cli.client import Client
from heart_cli.completing import complete_models
from heart_cli.errors import ApiFailure
from heart_cli.options import NAME, VERSION, Length, on_cluster, version_text
from heart_cli.reading import read_model
from heart_cli.text import clean
from heart_cli.waiting import GOALS, Progress, judge

POLL_SECONDS = 1.0
TIMED_OUT = 3


@click.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@click.option("--for", "goal", type=click.Choice(list(GOALS)), default="serving", show_default=True, help="Goal.")
@click.option("--version", type=VERSION, help="Wait for this version; by default the one that the spec desires.")
@click.option("--timeout", type=Length(), default="30m", show_default=True, help="Longest time to wait.")
@on_cluster
def wait(client: Client, name: str, goal: str, version: int | None, timeout: float) -> None:
    """Wait until a model serves.

    --for trained: until its training has registered a version; --for approval: until a candidate awaits approval.

    Prints a line for each change. Exit code 0: reached; 1: the model cannot get there, with the reason; 3: timeout.
    """
    deadline, last = time.monotonic() + timeout, ""
    while True:
        progress = look(client, name, goal, version_text(version), patient=last != "")
        if progress.message != last:
            click.echo(clean(f"{datetime.now(UTC):%H:%M:%S} {name}: {progress.message}"))
            last = progress.message
        if progress.state == "reached":
            return
        if progress.state == "failed":
            raise click.ClickException(clean(f"{name}: {progress.message}"))
        if time.monotonic() >= deadline:
            click.echo(f"Error: {name}: timed out after {timeout:g} s", err=True)
            click.get_current_context().exit(TIMED_OUT)
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def look(client: Client, name: str, goal: str, version: str, *, patient: bool) -> Progress:
    """`patient`: an API server that does not answer for a while, as when it is upgraded, ends no pipeline."""
    try:
        return judge(read_model(client, name), goal, version)
    except ApiFailure as error:
        if patient and error.passes:
            return Progress("waiting", f"the API server does not answer, trying again: {error}")
        raise
