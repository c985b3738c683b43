"""Output formats as kubectl has them."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed
from typing import Any

import click
import yaml
from click.shell_completion import CompletionItem

from heart_api.kube.kinds import HEART_MODEL
from heart_api.kube.values import Manifest
from heart_cli.errors import Failure

RESOURCE = f"{HEART_MODEL.plural}.{HEART_MODEL.group}"
RESOURCE_NAME = f"{HEART_MODEL.kind.lower()}.{HEART_MODEL.group}"
"""As `-o name` prints it."""
FORMATS = ("json", "yaml", "name", "wide")
TEMPLATES = ("jsonpath=", "jsonpath-as-json=", "custom-columns=", "go-template=")
"""Formats with a template, which kubectl itself renders."""

PREFIX = re.compile(r"^(Error from server( \(\w+\))?|error): ")
"""Of kubectl's messages, which follow our own `Error: `."""

STRUCTURED = click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Print JSON or YAML.")


class Format(click.ParamType[str]):
    """`json`, `yaml`, `name`, perhaps `wide`, or a template such as `jsonpath={.status.serving.version}`."""

    name = "format"

    def __init__(self, formats: Sequence[str], templates: Sequence[str]) -> None:
        self._formats, self._templates = tuple(formats), tuple(templates)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self._formats and not str(value).startswith(self._templates):
            self.fail(f"must be one of {', '.join((*self._formats, *self._templates))}", param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in (*self._formats, *self._templates) if name.startswith(incomplete)]


OUTPUT = click.option(
    "-o",
    "--output",
    type=Format(FORMATS, TEMPLATES),
    help="json, yaml, name, wide, or a template such as jsonpath=TEMPLATE.",
)
OBJECT = click.option(
    "-o",
    "--output",
    type=Format(("json", "yaml", "name"), ("jsonpath=", "jsonpath-as-json=", "go-template=")),
    help="Print the HeartModel: json, yaml, name, or a template such as jsonpath=TEMPLATE.",
)
"""Of commands that change a HeartModel."""
SELECTOR = click.option("-l", "--selector", default="", help="Label selector, as kubectl takes it.")
NO_HEADERS = click.option("--no-headers", is_flag=True, help="Do not print the names of the columns.")
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
    run_kubectl("get", RESOURCE, *names, *options, "-o", output)


def print_object(output: str, resource: Manifest) -> None:
    """A HeartModel that is at hand and perhaps stored nowhere; templates are rendered by kubectl. Raises Failure."""
    if output == "name":
        click.echo(f"{RESOURCE_NAME}/{resource['metadata']['name']}")
    elif output in ("json", "yaml"):
        print_data(output, without_managers(resource))
    else:
        local = ("patch", "--local", "--filename=-", "--type=merge", "--patch={}")
        run_kubectl(*local, f"--output={output}", text=json.dumps(resource))


def without_managers(resource: Manifest) -> Manifest:
    """As kubectl prints objects: who manages which field is left out."""
    kept = {key: value for key, value in resource["metadata"].items() if key != "managedFields"}
    return {**resource, "metadata": kept}


def run_kubectl(*words: str, text: str | None = None) -> None:
    """Its output is ours; `text` is what it reads. Raises Failure with its message."""
    sys.stdout.flush()
    command = ("kubectl", *words)
    try:
        done = subprocess.run(command, input=text, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603  fixed
    except FileNotFoundError:
        raise Failure("kubectl was not found on the PATH; -o needs it") from None
    if done.returncode:
        raise Failure(PREFIX.sub("", done.stderr.strip()) or "kubectl failed")
