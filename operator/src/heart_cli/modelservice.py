"""A model's Service through the API server's proxy: no port-forward is needed.

The API server consumes the Authorization header, so that the model's own key or token goes in X-API-Key. It opens TLS
to the pods itself, and does not verify their certificate.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from heart_api.authentication import KEY_HEADER
from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.reading import read_model

KEY_VARIABLE = "HEARTOPS_API_KEY"
MAX_KEY = 8192
"""Characters of a key or token."""


@dataclass(frozen=True, slots=True)
class ModelService:
    """The version that serves, for a caller with or without a key."""

    client: Client
    name: str
    is_secure: bool
    key: str = field(default="", repr=False)

    def path(self, route: str) -> str:
        name = quote(self.name, safe="")
        port = f"https:{name}:https" if self.is_secure else f"{name}:http"
        return f"/api/v1/namespaces/{self.client.namespace}/services/{port}/proxy/{route}"

    @property
    def headers(self) -> dict[str, str]:
        return {KEY_HEADER: self.key} if self.key else {}

    def call(self, method: str, route: str, body: Any = None) -> Any:
        """The decoded answer. Raises Failure: no pod answers, the user may not use the proxy, the model rejects it."""
        try:
            return self.client.call(method, self.path(route), body=body, headers=self.headers)
        except ApiFailure as error:
            raise Failure(explained(self.name, error)) from None


def open_service(client: Client, name: str, key: str) -> ModelService:
    """Raises Failure when nothing serves."""
    status = read_model(client, name).status
    if status.serving is None:
        raise Failure(f"No version of {name} is serving yet: see kubectl heart status {name}")
    return ModelService(client, name, (status.serving.url or "").startswith("https:"), key)


def explained(name: str, error: ApiFailure) -> str:
    said = own_message(error)
    if said is None and error.status == 503:
        return f"No pod of {name} is available ({error}): see kubectl heart status {name}"
    if said is None and error.status == 403:
        return f"{error} (this goes through the API server, and requires the permission to create services/proxy)"
    if said is not None and error.status == 401:
        said += f" (set {KEY_VARIABLE}, or name a file with --key-file)"
    return f"{name} responded with {error.status}: {said or error}" if error.status else str(error)


def own_message(error: ApiFailure) -> str | None:
    """The model's own words, field by field if it rejected a record; None: the API server has answered."""
    try:
        found = json.loads(error.body)["detail"]
    except (ValueError, KeyError, TypeError):
        return None
    if isinstance(found, str):
        return found
    return "; ".join(f"{'.'.join(map(str, item['loc'][1:])) or 'body'}: {item['msg']}" for item in found)


def read_key(file: str | None) -> str:
    """From the file, else from the environment; empty: none is sent. Raises Failure."""
    try:
        key = (Path(file).read_text() if file else os.environ.get(KEY_VARIABLE, "")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read ({type(error).__name__})") from None
    if file and not key:
        raise Failure(f"{file} is empty: it should hold an API key or a token")
    if len(key) > MAX_KEY or not (key.isascii() and key.isprintable()) or " " in key:
        raise Failure(f"{file or KEY_VARIABLE} holds no API key or token: one line of ASCII characters is expected")
    return key


def with_key(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --key-file; the command gets `key`. There is no option for the key itself: others could read it."""

    @click.option(
        "--key-file",
        type=click.Path(dir_okay=False),
        help=f"File with the API key or token, if the model requires one; defaults to the variable {KEY_VARIABLE}.",
    )
    @wraps(function)
    def run(*arguments: Any, key_file: str | None, **options: Any) -> Any:
        return function(*arguments, key=read_key(key_file), **options)

    return run
