"""Which models a command is about: the one that is named, or those of a namespace, of a label, of all namespaces."""

import click

from heart_api.heartmodel import HeartModel
from heart_cli.client import Client
from heart_cli.reading import read_model, read_models


def require_name_or_choice(name: str | None, selector: str, everywhere: bool) -> None:
    if name and (selector or everywhere):
        raise click.UsageError("NAME cannot be combined with --selector or --all-namespaces")


def nothing_found(client: Client, everywhere: bool) -> None:
    click.echo(f"No resources found{'' if everywhere else f' in {client.namespace} namespace.'}", err=True)


def read_chosen(client: Client, name: str | None, selector: str, everywhere: bool) -> list[HeartModel]:
    return [read_model(client, name)] if name else read_models(client, selector, everywhere=everywhere)
