"""What a shell may suggest for an argument."""

import click
from click.shell_completion import CompletionItem
from kubernetes import config
from kubernetes.config.config_exception import ConfigException

from heart_api.kube.kinds import HEART_MODEL
from heart_cli.client import connect
from heart_cli.errors import Failure
from heart_cli.explaining import all_names


def complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of HeartModels in the namespace that was typed; none if the cluster does not answer."""
    try:
        client = connect(ctx.params.get("kubeconfig"), ctx.params.get("context"), ctx.params.get("namespace"))
        names = sorted(item["metadata"]["name"] for item in client.list(HEART_MODEL))
    except Failure:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_namespaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of namespaces; none if the cluster does not answer, or does not list them to this user."""
    try:
        client = connect(ctx.params.get("kubeconfig"), ctx.params.get("context"), None)
        names = sorted(item["metadata"]["name"] for item in client.call("GET", "/api/v1/namespaces")["items"])
    except Failure:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the kubeconfig's contexts."""
    try:
        contexts, _ = config.list_kube_config_contexts(ctx.params.get("kubeconfig"))
    except (ConfigException, OSError):
        return []
    return [CompletionItem(each["name"]) for each in contexts if each["name"].startswith(incomplete)]


def complete_reasons(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in all_names() if name.lower().startswith(incomplete.lower())]
