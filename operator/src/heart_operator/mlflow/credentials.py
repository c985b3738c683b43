"""What the operator shows to an MLflow server: each gets its own credentials, and never those of another.

MLflow's client reads its own variables for whatever server it talks to, so they are not used. Instead a header provider
adds the credentials of the server that the thread is talking to.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

TOKEN_VARIABLE = "HEARTOPS_REGISTRY_TOKEN"  # noqa: S105  a variable's name
"""The operator's own Kubernetes token for MLflow; `mlflow.token` renews it."""
FOLDER_VARIABLE = "HEARTOPS_REGISTRY_SECRETS"
FOLDER = "/etc/heartops-registry"
"""Where the chart mounts the Secrets that runtime profiles name (`trackingSecret`), each in a folder of its name."""
TOKEN, USER, PASSWORD = "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
"""Keys of such a Secret: pods take them as variables, as MLflow's client calls them."""

_authorization: ContextVar[str] = ContextVar("authorization", default="")


class CredentialsMissing(Exception):
    """The Secret of a runtime profile is not mounted or has no usable key; the message names it."""


class AuthorizationHeader:
    """A request header provider of MLflow's client (mlflow.tracking.request_header)."""

    def in_context(self) -> bool:
        return bool(_authorization.get())

    def request_headers(self) -> dict[str, str]:
        return {"Authorization": _authorization.get()}


@contextmanager
def authorized(header: str) -> Iterator[None]:
    """Requests of this thread carry the header; an empty one: none."""
    before = _authorization.set(header)
    try:
        yield
    finally:
        _authorization.reset(before)


def kubernetes_header() -> str:
    """The operator's token; empty before there is one, so that MLflow answers 401."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    return f"Bearer {token}" if token else ""


def secret_header(name: str) -> str:
    """From the mounted Secret, read at each call: the kubelet replaces what was rotated. Raises CredentialsMissing."""
    folder = Path(os.environ.get(FOLDER_VARIABLE, FOLDER)) / name
    token, user, password = (read_key(folder / key) for key in (TOKEN, USER, PASSWORD))
    if token:
        return f"Bearer {token}"
    if user and password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    raise CredentialsMissing(
        f"the operator's namespace has no Secret {name} with {TOKEN}, or with {USER} and {PASSWORD},"
        " that the chart mounts into the operator"
    )


def read_key(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
