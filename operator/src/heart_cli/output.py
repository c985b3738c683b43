"""Output formats as kubectl has them."""

import json
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import version as installed
from typing import Any

import click
import yaml

from heart_api.kube.kinds import HEART_MODEL
from heart_cli.errors import Failure

RESOURCE = f"{HEART_MODEL.plural}.{HEART_MODEL.group}"
FORMATS = ("json", "yaml", "name", "wide")
TEMPLATES = ("jsonpath=", "jsonpath-as-json=", "custom-columns=", "go-template=")
"""Formats with a template, which kubectl itself renders."""

PREFIX = re.compile(r"^(Error from server( \(\w+\))?|error): ")
"""Of kubectl's messages, which follow our own `Error: `."""

STRUCTURED = click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Print JSON or YAML.")


class Format(click.ParamType[str]):
    """`json`, `yaml`, `name`, `wide`, or a template such as `jsonpath={.status.serving.version}`."""

    name = "format"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in FORMATS and not str(value).startswith(TEMPLATES):
            self.fail(f"must be one of {', '.join((*FORMATS, *TEMPLATES))}", param, ctx)
        return str(value)


OUTPUT = click.option(
    "-o", "--output", type=Format(), help="json, yaml, name, wide, or a template such as jsonpath=TEMPLATE."
)
SELECTOR = click.option("-l", "--selector", default="", help="Label selector, as kubectl takes it.")
ALL_NAMESPACES = click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Models of all namespaces.")


def installed_version() -> str:
    """Release of this plugin."""
    return installed("heartops")


def print_data(output: str, data: Any) -> None:
    """As JSON or YAML on stdout."""
    text = json.dumps(data, indent=2, ensure_ascii=False) if output == "json" else yaml.safe_dump(data, sort_keys=False)
    click.echo(text.rstrip("\n"))


def print_objects(output: str, names: Sequence[str], options: Sequence[str]) -> None:
    """What `kubectl get heartmodels NAMES OPTIONS -o OUTPUT` prints: the objects themselves, in kubectl's own formats.

    Raises Failure with kubectl's message.
    """
    command = ("kubectl", "get", RESOURCE, *names, *options, "-o", output)
    try:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603  a fixed program
    except FileNotFoundError:
        raise Failure("kubectl was not found on the PATH; -o needs it") from None
    if done.returncode:
        raise Failure(PREFIX.sub("", done.stderr.strip()) or "kubectl failed")
