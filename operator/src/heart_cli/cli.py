"""The command line: what to type, and what is printed."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import IO

import click
from rich.console import Console

from heart_api.heartmodel import HeartModel
from heart_cli.checkcommand import check
from heart_cli.choosing import nothing_found, read_chosen, require_name_or_choice
from heart_cli.client import Client
from heart_cli.commands import COMMANDS
from heart_cli.completing import complete_models, complete_namespaces, complete_reasons
from heart_cli.copying.command import copy
from heart_cli.doctor.command import doctor
from heart_cli.dryrun import DRY_RUN, DryRun, told
from heart_cli.erasure import announce, start_erasure
from heart_cli.erasure import erase as erase_rows
from heart_cli.explaining import find_explanations, similar
from heart_cli.following import follow, follow_list, show
from heart_cli.habits import Habitual
from heart_cli.historycommand import history
from heart_cli.installation import texts_for
from heart_cli.keycommands import key
from heart_cli.listing import Columns, models_table, print_table
from heart_cli.load.command import load
from heart_cli.load.records import read_example
from heart_cli.mlflowdata import kubectl_exec
from heart_cli.mlflowproxy import open_mlflow
from heart_cli.modelservice import open_service, with_key
from heart_cli.namespaces import after_rotation, plan_offboarding
from heart_cli.namespaces import init_namespace as init
from heart_cli.namespaces import offboard_namespace as offboard
from heart_cli.namespaces import rotate_namespace as rotate
from heart_cli.new.command import new
from heart_cli.options import NAME, SYSTEM_NAMESPACE, VERSION, connection_options, on_cluster, version_text
from heart_cli.output import (
    ALL_NAMESPACES,
    NO_HEADERS,
    OUTPUT,
    SELECTOR,
    installed_version,
    print_objects,
)
from heart_cli.podlogs import copy_logs, find_pods
from heart_cli.predict import predict as ask
from heart_cli.reading import read_view
from heart_cli.text import clean, harmless
from heart_cli.waitcommand import wait


@click.group(cls=Habitual, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(installed_version(), prog_name="kubectl heart")
def cli() -> None:
    """Inspect HeartModels and control their rollouts."""


for entry in (*COMMANDS, check, copy, doctor, history, key, load, new, wait):
    cli.add_command(entry)


@cli.command()
@click.argument("name", type=NAME, required=False, shell_complete=complete_models)
@click.option("-w", "--watch", "again", is_flag=True, help="Watch for changes until interrupted.")
@OUTPUT
@SELECTOR
@ALL_NAMESPACES
@NO_HEADERS
@SYSTEM_NAMESPACE
@on_cluster
def status(
    client: Client,
    name: str | None,
    again: bool,
    output: str | None,
    selector: str,
    everywhere: bool,
    no_headers: bool,
    system_namespace: str,
) -> None:
    """Show a model as a tree, or list all models.

    Shows versions and pods, the candidate's analysis, gate, training, what it is waiting for, and possible commands;
    also what keeps the installation's own Jobs and Deployments from running, if you may read its namespace.
    With -o, prints the HeartModels themselves, as kubectl get does.
    """
    require_name_or_choice(name, selector, everywhere)
    if output and output != "wide":
        options = kubectl_options(client, again, selector, everywhere)
        watched(partial(print_objects, output, [name] if name else [], options))
    elif name and not output:
        read = partial(read_view, client, name, system_namespace)
        watched(partial(follow if again else show, read, Console()))
    else:
        columns = Columns(namespace=everywhere, wide=output == "wide", header=not no_headers)
        list_models(client, partial(read_chosen, client, name, selector, everywhere), columns, system_namespace, again)


def list_models(
    client: Client, read: Callable[[], list[HeartModel]], columns: Columns, system_namespace: str, again: bool
) -> None:
    """A line for each model; on stderr that there is none, and what of the installation cannot run."""
    if again:
        watched(partial(follow_list, read, columns, Console()))
        return
    if models := read():
        print_table(models_table(models, datetime.now(UTC), columns))
    else:
        nothing_found(client, columns.namespace)
    for text in texts_for(client, system_namespace):
        click.echo(f"Installation: {clean(text)}", err=True)


def kubectl_options(client: Client, again: bool, selector: str, everywhere: bool) -> list[str]:
    """The options of `status` as `kubectl get` takes them."""
    where = ["--all-namespaces"] if everywhere else ["--namespace", client.namespace]
    chosen = ["--selector", selector] if selector else []
    return [*where, *chosen, *(["--watch"] if again else []), *connection_options()]


@cli.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@SYSTEM_NAMESPACE
@on_cluster
def watch(client: Client, name: str, system_namespace: str) -> None:
    """Watch the status tree until interrupted."""
    watched(partial(follow, partial(read_view, client, name, system_namespace), Console()))


@cli.command()
@click.argument("reason", metavar="WORD", shell_complete=complete_reasons)
def explain(reason: str) -> None:
    """Explain a word of a status or an event.

    WORD is a reason, a condition, a phase or a verdict. Also says what to do.
    """
    found = find_explanations(reason)
    if not found:
        hint = f"; similar: {', '.join(names)}" if (names := similar(reason)) else ""
        raise click.ClickException(f"No condition, reason or other word of a status is called {clean(reason)}{hint}")
    for name, (where, explained) in found:
        click.echo(f"{name} ({where})\n  {explained.meaning}")
        click.echo(f"  What to do: {explained.advice or 'nothing.'}")


@cli.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@click.option("--version", type=VERSION, help="Show the pods of this version; defaults to the serving version.")
@click.option("--training", is_flag=True, help="Show the logs of the latest training instead.")
@click.option("-f", "--follow", "goes_on", is_flag=True, help="Stream the logs until the pods terminate.")
@click.option("--tail", type=int, default=100, show_default=True, help="Lines to show per pod; -1 for all.")
@on_cluster
def logs(client: Client, name: str, version: int | None, training: bool, goes_on: bool, tail: int) -> None:
    """Print the logs of a model's pods."""
    if training and version is not None:
        raise click.UsageError("--training and --version are mutually exclusive")
    pods = find_pods(client, name, version_text(version), training)
    try:
        copy_logs(client, pods, tail, goes_on, write_line)
    except KeyboardInterrupt:
        return


@cli.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@click.argument("record", required=False)
@click.option("-f", "--file", type=click.File(), help="Read the record from a file; - for standard input.")
@click.option("--example", is_flag=True, help="Send the model's own example record, and print it to standard error.")
@on_cluster
@with_key
def predict(client: Client, name: str, record: str | None, file: IO[str] | None, example: bool, key: str) -> None:
    """Send a prediction request to the serving version.

    RECORD is JSON by feature name (one record, or a list of them), or - for standard input.
    """
    if [record is not None, file is not None, example].count(True) != 1:
        raise click.UsageError("give exactly one of RECORD, --file and --example")
    service = open_service(client, name, key)
    if example:
        record = json.dumps(read_example(service), ensure_ascii=False)
        click.echo(record, err=True)
    text = file.read() if file else sys.stdin.read() if record == "-" else str(record)
    click.echo(json.dumps(ask(service, text), indent=2, ensure_ascii=False))


@cli.command("init-namespace")
@click.argument("target", metavar="NAMESPACE", type=NAME, shell_complete=complete_namespaces)
@SYSTEM_NAMESPACE
@click.option("--log/--no-log", default=True, help="Also set up the prediction log (the default).")
@DRY_RUN
@on_cluster
def init_namespace(client: Client, target: str, system_namespace: str, log: bool, dry: DryRun) -> None:
    """Create the Secret that a namespace with models needs."""
    client = client.rehearsing(dry)
    system = client.elsewhere(system_namespace) if log else None
    for line in init(client.elsewhere(target), system):
        click.echo(told(line, dry))


@cli.command("rotate-namespace")
@click.argument("target", metavar="NAMESPACE", type=NAME, shell_complete=complete_namespaces)
@SYSTEM_NAMESPACE
@DRY_RUN
@on_cluster
def rotate_namespace(client: Client, target: str, system_namespace: str, dry: DryRun) -> None:
    """Change a namespace's password for the prediction log."""
    client = client.rehearsing(dry)
    for line in rotate(client.elsewhere(target), client.elsewhere(system_namespace)):
        click.echo(told(line, dry))
    if dry == "none":
        click.echo("\n".join(after_rotation(target)))


@cli.command("offboard-namespace")
@click.argument("target", metavar="NAMESPACE", type=NAME, shell_complete=complete_namespaces)
@SYSTEM_NAMESPACE
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@DRY_RUN
@on_cluster
def offboard_namespace(client: Client, target: str, system_namespace: str, yes: bool, dry: DryRun) -> None:
    """Delete all that a namespace leaves behind.

    Its key, its models in MLflow, its login and its prediction log are deleted for good: a later namespace of the same
    name inherits nothing.
    """
    about = client.elsewhere(target), client.elsewhere(system_namespace), kubectl_exec(connection_options())
    if dry != "none" or not yes:
        planned = plan_offboarding(*about)
        click.echo(f"To be deleted, for good, of namespace {target}:")
        click.echo("\n".join(f"  {line}" for line in planned))
    if dry != "none":
        return
    if not yes:
        click.confirm("Delete all of it?", abort=True)
    for line in offboard(*about):
        click.echo(line)


@cli.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@click.option("--request-id", "requests", multiple=True, help="Erase this request; may be given several times.")
@click.option("--subject", help="Erase every request that was sent with this subject key.")
@DRY_RUN
@on_cluster
def erase(client: Client, name: str, requests: tuple[str, ...], subject: str | None, dry: DryRun) -> None:
    """Delete predictions and their outcomes from the log."""
    if not requests and subject is None:
        raise click.UsageError("give --request-id or --subject")
    if dry != "none":
        job = start_erasure(client.rehearsing(dry), name, requests, subject)
        click.echo(told(f"Job {job} would delete them from the log of {name}", dry))
        return
    report = erase_rows(client, name, requests, subject)
    click.echo(clean(report))
    if why := announce(client, name, report):
        click.echo(clean(why), err=True)


@cli.command()
@SYSTEM_NAMESPACE
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on this machine.")
@on_cluster
def mlflow(client: Client, system_namespace: str, port: int) -> None:
    """Open MLflow on a loopback port.

    Runs, plots and model cards of the namespace's workspace, with a token of its default account.
    """
    try:
        open_mlflow(client, client.elsewhere(system_namespace), connection_options(), port, click.echo)
    except KeyboardInterrupt:
        return


def watched(show_for_ever: Callable[[], None]) -> None:
    """Ctrl-C is the way to end it, not a failure."""
    try:
        show_for_ever()
    except KeyboardInterrupt:
        return


def write_line(line: bytes) -> None:
    """One write, so that lines of several pods do not mix; what would steer the terminal is made visible."""
    sys.stdout.buffer.write(harmless(line))
    sys.stdout.buffer.flush()
