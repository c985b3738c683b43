"""Makes a namespace ready for models: the one Secret that trainer and serving pods read there."""

import secrets
import string
from typing import Any

from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_operator.api.handover import Env
from heart_operator.api.names import PART_OF, RUNTIME_SECRET, Label
from heart_operator.kinds import Kind

SECRET = Kind("v1", "Secret", "secrets")
KEY_LENGTH = 48


def init_namespace(client: Client) -> str:
    """What was done. A key that is there stays: another one would make every stored row hash useless.

    Raises:
        Failure: no such namespace, no right, or a Secret of that name without the key.
    """
    where = f"namespace {client.namespace}"
    try:
        client.call("POST", SECRET.path(client.namespace), body=build_secret())
    except ApiFailure as error:
        if error.status != 409:
            raise
        if Env.ROW_KEY in (client.get(SECRET, RUNTIME_SECRET).get("data") or {}):
            return f"The Secret {RUNTIME_SECRET} in {where} has its key already; nothing was changed"
        raise Failure(
            f"The Secret {RUNTIME_SECRET} in {where} lacks the key {Env.ROW_KEY}: add it (a random text), "
            "or delete the Secret and run this again"
        ) from None
    return f"Made the Secret {RUNTIME_SECRET} in {where}: models can be trained there"


def build_secret() -> dict[str, Any]:
    letters = string.ascii_letters + string.digits
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": RUNTIME_SECRET, "labels": {Label.PART_OF: PART_OF}},
        "type": "Opaque",
        "stringData": {Env.ROW_KEY: "".join(secrets.choice(letters) for _ in range(KEY_LENGTH))},
    }
