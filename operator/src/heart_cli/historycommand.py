"""`kubectl heart history`: which versions served or were rejected, when, and why."""

from typing import Any

import click

from heart_api.heartmodel import HeartModel
from heart_cli.choosing import nothing_found, read_chosen, require_name_or_choice
from heart_cli.client import Client
from heart_cli.completing import complete_models
from heart_cli.listing import Columns, history_table, print_table, whole_history_table
from heart_cli.options import NAME, SYSTEM_NAMESPACE, connection_options, on_cluster
from heart_cli.output import ALL_NAMESPACES, NO_HEADERS, SELECTOR, print_data
from heart_cli.reading import read_model
from heart_cli.wholehistory import read_history

KEPT = ("history", "rejected")
"""Lists of the status."""


@click.command()
@click.argument("name", type=NAME, required=False, shell_complete=complete_models)
@click.option("--all", "whole", is_flag=True, help="Every decision since the beginning, from MLflow.")
@SELECTOR
@ALL_NAMESPACES
@NO_HEADERS
@SYSTEM_NAMESPACE
@click.option("-o", "--output", type=click.Choice(["json", "yaml", "wide"]), help="JSON, YAML, or whole digests.")
@on_cluster
def history(
    client: Client,
    name: str | None,
    whole: bool,
    selector: str,
    everywhere: bool,
    no_headers: bool,
    system_namespace: str,
    output: str | None,
) -> None:
    """List serving and rejected versions, with reasons.

    Of one model, or of all. The status keeps the newest (spec.rollout.historyLimit). --all reads every decision of one
    model: trained, gated, approved, promoted, rolled back, rejected, drift, erased.
    """
    require_name_or_choice(name, selector, everywhere)
    if whole:
        whole_history(client, name, system_namespace, output)
        return
    models = read_chosen(client, name, selector, everywhere)
    if output in ("json", "yaml"):
        entries = [history_of(model) for model in models]
        print_data(output, {key: entries[0][key] for key in KEPT} if name else {"items": entries})
    elif models:
        columns = Columns(namespace=everywhere, wide=output == "wide", header=not no_headers)
        print_table(history_table(models, columns, several=name is None))
    else:
        nothing_found(client, everywhere)


def history_of(model: HeartModel) -> dict[str, Any]:
    status = model.status.dump()
    whose = {"namespace": model.namespace, "name": model.name}
    return {**whose, **{key: status.get(key, []) for key in KEPT}}


def whole_history(client: Client, name: str | None, system_namespace: str, output: str | None) -> None:
    """Every decision about one model, from MLflow."""
    if name is None:
        raise click.UsageError("--all needs NAME")
    model = read_model(client, name)
    entries = read_history(client, client.elsewhere(system_namespace), connection_options(), model)
    if output in ("json", "yaml"):
        print_data(output, {"history": [entry.model_dump(by_alias=True, exclude={"pending"}) for entry in entries]})
    else:
        print_table(whole_history_table(entries))
