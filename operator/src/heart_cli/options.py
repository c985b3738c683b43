"""Options shared by all commands, and their exit codes."""

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from heart_api.base import DURATION_PATTERN, NAME_PATTERN
from heart_api.commands import MAX_REASON
from heart_api.durations import seconds
from heart_cli.client import connect
from heart_cli.completing import complete_contexts, complete_namespaces
from heart_cli.errors import Failure
from heart_cli.targets import NotApplicable
from heart_cli.text import clean

Function = Callable[..., Any]


class Name(click.ParamType[str]):
    """Name of a model or a namespace."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if re.fullmatch(NAME_PATTERN, value) is None or len(value) > 253:
            self.fail("must consist of lower-case letters, digits and hyphens", param, ctx)
        return str(value)


class ReasonText(click.ParamType[str]):
    """A reason, short enough to be kept in the history."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if len(value) > MAX_REASON:
            self.fail(f"is longer than {MAX_REASON} characters", param, ctx)
        return clean(value)


class Length(click.ParamType[float]):
    """A length of time such as `90s` or `20m`, in seconds; a number alone counts them."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if re.fullmatch(NUMBER, str(value)):
            return float(value)
        if re.fullmatch(DURATION_PATTERN, str(value)) is None:
            self.fail("must be a duration such as 90s, 20m or 1h30m", param, ctx)
        return seconds(str(value))


NUMBER = r"[0-9]{1,6}(\.[0-9]{1,3})?"
NAME = Name()
SYSTEM_NAMESPACE = click.option(
    "--system-namespace",
    type=NAME,
    default="heartops-system",
    shell_complete=complete_namespaces,
    show_default=True,
    help="Namespace of the HeartOps installation.",
)
VERSION = click.IntRange(min=1)

WHERE = (
    click.option(
        "-n",
        "--namespace",
        type=NAME,
        shell_complete=complete_namespaces,
        help="Namespace; defaults to the context's.",
    ),
    click.option(
        "--context", shell_complete=complete_contexts, help="Context of the kubeconfig; defaults to the current one."
    ),
    click.option(
        "--kubeconfig", type=click.Path(dir_okay=False), help="Path of the kubeconfig; defaults to KUBECONFIG."
    ),
    click.option("--as", "user", metavar="USER", help="User to impersonate, as kubectl does."),
)


def on_cluster(function: Function) -> Function:
    """Add kubectl's connection options. The command receives a Client first; its failures end with exit code 1."""

    @functools.wraps(function)
    def run(
        namespace: str | None, context: str | None, kubeconfig: str | None, user: str | None, **options: Any
    ) -> None:
        try:
            client = connect(kubeconfig, context, namespace)
            function(client.acting_as(user) if user else client, **options)
        except (NotApplicable, Failure) as error:
            raise click.ClickException(clean(str(error))) from None

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(WHERE), run)


def connection_options() -> list[str]:
    """--kubeconfig, --context and --as as they were given, for kubectl."""
    given = click.get_current_context().params
    known = {"kubeconfig": "kubeconfig", "context": "context", "user": "as"}
    return [f"--{option}={given[name]}" for name, option in known.items() if given.get(name)]


def version_text(version: int | None) -> str:
    return "" if version is None else str(version)
