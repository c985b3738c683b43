"""Secrets key by key, as the user who runs the command may read and write them."""

import base64
from typing import Any

from heart_api.kube.kinds import SECRET
from heart_api.names import PART_OF, Label
from heart_cli.client import MERGE_PATCH, Client
from heart_cli.errors import ApiFailure


def read_secret(client: Client, name: str) -> dict[str, str]:
    """Its keys; none where there is no such Secret."""
    try:
        data = client.get(SECRET, name).get("data") or {}
    except ApiFailure as error:
        if error.status == 404:
            return {}
        raise
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def add_keys(
    client: Client, name: str, kept: dict[str, str], wanted: dict[str, str], annotations: dict[str, str] | None = None
) -> str:
    """Create the Secret, or add the keys that it lacks; those that it has stay. `annotations` come with a change."""
    missing = {key: value for key, value in wanted.items() if key not in kept}
    where = f"the Secret {name} in namespace {client.namespace}"
    if not missing:
        return f"Unchanged: {where} has {' and '.join(wanted)}"
    body: dict[str, Any] = {"metadata": {"annotations": annotations or {}}, "stringData": missing}
    if kept:
        patch_secret(client, name, body)
    else:
        body["metadata"] |= {"name": name, "labels": {Label.PART_OF: PART_OF}}
        client.write("POST", SECRET.path(client.namespace), body | {"type": "Opaque"})
    return f"Added {' and '.join(missing)} to {where}"


def patch_secret(client: Client, name: str, body: dict[str, Any]) -> None:
    client.write("PATCH", SECRET.path(client.namespace, name), body, media=MERGE_PATCH)
