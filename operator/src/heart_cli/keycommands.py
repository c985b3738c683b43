"""`kubectl heart key`: API keys of a model's callers."""

import re
from typing import Any

import click

from heart_api.authentication import CALLER_PATTERN, SCOPES
from heart_api.names import api_keys_name
from heart_cli.apikeys import create_key, list_keys, revoke_keys
from heart_cli.client import Client
from heart_cli.completing import complete_models
from heart_cli.dryrun import DRY_RUN, DryRun, told
from heart_cli.listing import add, plain_table, print_table
from heart_cli.options import NAME, on_cluster
from heart_cli.output import STRUCTURED, print_data
from heart_cli.reading import read_model

FOLLOWS = "Running pods follow as soon as the kubelet brings them the changed Secret, within two minutes."


class CallerName(click.ParamType[str]):
    """Name of a caller, as it appears in metrics."""

    name = "caller"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if re.fullmatch(CALLER_PATTERN, value) is None:
            self.fail("must have at most 63 letters, digits, hyphens, dots and underscores", param, ctx)
        return str(value)


MODEL = click.argument("name", type=NAME, shell_complete=complete_models)
CALLER = click.argument("caller", type=CallerName())


@click.group()
def key() -> None:
    """Create, list and revoke API keys of a model.

    They count where spec.serving.auth is APIKey.
    """


@key.command()
@MODEL
@CALLER
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=("predict", "explain"),
    show_default=True,
    help="What the key permits; may be given several times.",
)
@DRY_RUN
@on_cluster
def create(client: Client, name: str, caller: str, scopes: tuple[str, ...], dry: DryRun) -> None:
    """Create a key for CALLER and print it. It is shown once: only its hash is stored.

    A caller may have two keys, so that the earlier one works until everybody uses the new one (key revoke --old).
    """
    model = read_model(client, name)
    made = create_key(client.rehearsing(dry), model, caller, scopes)
    if dry != "none":
        click.echo(told(f"Created a key of {caller} in the Secret {api_keys_name(name)}", dry))
        return
    click.echo(made)
    click.echo(f"Stored its hash in the Secret {api_keys_name(name)}. {FOLLOWS}", err=True)
    if model.spec.serving.auth != "APIKey":
        click.echo(f"{name} does not require it: set spec.serving.auth: APIKey", err=True)


@key.command()
@MODEL
@CALLER
@click.option("--old", is_flag=True, help="Keep the newest key.")
@DRY_RUN
@on_cluster
def revoke(client: Client, name: str, caller: str, old: bool, dry: DryRun) -> None:
    """Revoke the keys of CALLER."""
    number = revoke_keys(client.rehearsing(dry), read_model(client, name), caller, old=old)
    done = f"Revoked {number} {'key' if number == 1 else 'keys'} of {caller}"
    click.echo(f"{done}. {FOLLOWS}" if dry == "none" else told(done, dry))


@key.command("list")
@MODEL
@STRUCTURED
@on_cluster
def list_(client: Client, name: str, output: str | None) -> None:
    """List callers with their scopes.

    Also shows the first digits of their keys' hashes.
    """
    rows = list_keys(client, read_model(client, name))
    if output:
        keys = [{"caller": caller, "scopes": scopes.split(), "sha256": digits} for caller, scopes, digits in rows]
        print_data(output, {"keys": keys})
        return
    table = plain_table("CALLER", "SCOPES", "SHA-256")
    for row in rows:
        add(table, *row)
    print_table(table)
