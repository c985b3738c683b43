"""The command line of `kubectl heart copy`."""

import click

from heart_api.heartmodel import HeartModel
from heart_api.kube.kinds import HEART_MODEL
from heart_cli.client import Client
from heart_cli.completing import complete_models, complete_namespaces
from heart_cli.copying.copy import Proven, Target, copy_version, find_proven
from heart_cli.copying.workspace import Workspace
from heart_cli.dryrun import DRY_RUN, DryRun, told
from heart_cli.errors import ApiFailure
from heart_cli.mlflowproxy import find_service, forwarded, request_token
from heart_cli.options import NAME, SYSTEM_NAMESPACE, VERSION, connection_options, on_cluster, version_text
from heart_cli.reading import parsed, read_model
from heart_cli.text import clean


@click.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@click.option(
    "--to",
    "other",
    type=NAME,
    required=True,
    shell_complete=complete_namespaces,
    help="Namespace that gets the version.",
)
@click.option("--name", "other_name", type=NAME, help="Name of the HeartModel there; by default the same.")
@click.option("--version", type=VERSION, help="A version that has served; by default the one that serves.")
@click.option("-q", "--quiet", is_flag=True, help="Print the copy's number alone, for scripts.")
@DRY_RUN
@SYSTEM_NAMESPACE
@on_cluster
def copy(
    client: Client,
    name: str,
    other: str,
    other_name: str | None,
    version: int | None,
    quiet: bool,
    dry: DryRun,
    system_namespace: str,
) -> None:
    """Copy a proven version to another namespace.

    From staging to production: a version that has served goes into the other namespace's registry. There it is a
    version from outside: measured anew, judged by the gates, and approved by those who may. Copying it again makes no
    second version. Needs an MLflow with workspaces, and a token of the default account of both namespaces.
    """
    model = read_model(client, name)
    proven = find_proven(model, version_text(version))
    target = find_target(client.elsewhere(other), other_name or name)
    title = f"Version {proven.version} of {client.namespace}/{name}"
    number = "" if dry == "client" else carried_over(client, model, proven, other, target, system_namespace, dry)
    if quiet and dry == "none":
        click.echo(number)
        return
    fate = f"is version {number}" if number else "would become a version"
    click.echo(clean(told(f"{title} {fate} of {other}/{target.model}", dry)))
    click.echo(f"Digest: {proven.digest}")


def carried_over(
    client: Client, model: HeartModel, proven: Proven, other: str, target: Target, system_namespace: str, dry: DryRun
) -> str:
    """The version's number in the other namespace; in a dry run empty, if it would get one. Raises Failure."""
    system = client.elsewhere(system_namespace)
    with forwarded(connection_options(), system.namespace, find_service(system)) as url:
        source, destination = workspace(url, client), workspace(url, client.elsewhere(other))
        registered = model.spec.registry_name or model.name
        return copy_version(source, registered, proven, destination, target, dry=dry != "none")


def find_target(client: Client, name: str) -> Target:
    """By the HeartModel that will have it, whether or not that is there already. Raises Failure."""
    try:
        model = parsed(name, client.get(HEART_MODEL, name))
    except ApiFailure as error:
        if error.status != 404:
            raise
        return Target(name, name)
    return Target(name, model.spec.registry_name or name)


def workspace(url: str, client: Client) -> Workspace:
    """The namespace's, with a token of its default account. Raises ApiFailure."""
    headers = {"Authorization": f"Bearer {request_token(client)}", "X-MLFLOW-WORKSPACE": client.namespace}
    return Workspace(url, client.namespace, headers)
