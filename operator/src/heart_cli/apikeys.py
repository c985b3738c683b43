"""API keys of a model's callers: hashes in a Secret, which the serving pods mount and follow."""

import base64
from collections.abc import Sequence

from heart_api.authentication import MAX_KEYS, SCOPES, StoredKey, hashed, new_api_key, read_keys, write_keys
from heart_api.heartmodel import HeartModel
from heart_api.kube.kinds import SECRET
from heart_api.names import API_VERSION, GROUP, PART_OF, Label, api_keys_name
from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.secretkeys import patch_secret

SHOWN = 12
"""Hex digits of a hash that tell two keys apart."""


def create_key(client: Client, model: HeartModel, caller: str, scopes: Sequence[str]) -> str:
    """A new key, beside the one that the caller may have; nobody can read it again. Raises Failure."""
    stored = read_stored(client, model)
    kept = () if stored is None else stored.keys.get(caller, ())
    if len(kept) >= MAX_KEYS:
        raise Failure(f"{caller} has {MAX_KEYS} keys already: revoke the earlier one with key revoke --old")
    key = new_api_key()
    text = write_keys([*kept, hashed(key, scopes)])
    if stored is None:
        client.write("POST", SECRET.path(client.namespace), new_secret(model, {caller: text}))
    else:
        stored.write(client, caller, text)
    return key


def revoke_keys(client: Client, model: HeartModel, caller: str, *, old: bool) -> int:
    """Delete a caller's keys; with `old` all but the newest. Returns how many. Raises Failure when there are none."""
    stored = read_stored(client, model)
    keys = stored.keys.get(caller, ()) if stored else ()
    if stored is None or not keys:
        known = ", ".join(sorted(stored.keys)) if stored else ""
        raise Failure(f"{caller} has no key for {model.name} (callers: {known or 'none'})")
    kept = keys[-1:] if old else ()
    if len(kept) == len(keys):
        raise Failure(f"{caller} has one key alone: revoke it without --old")
    stored.write(client, caller, write_keys(kept) or None)
    return len(keys) - len(kept)


def list_keys(client: Client, model: HeartModel) -> list[tuple[str, str, str]]:
    """(caller, scopes, first digits of the hash) of every key, the newest of a caller last."""
    stored = read_stored(client, model)
    return [
        (caller, " ".join(scope for scope in SCOPES if scope in key.scopes), key.sha256[:SHOWN])
        for caller, keys in sorted(stored.keys.items() if stored else ())
        for key in keys
    ]


class StoredKeys:
    """The Secret as it was read; it is written only if nobody else has written it since."""

    def __init__(self, name: str, version: str, keys: dict[str, tuple[StoredKey, ...]]) -> None:
        self.keys = keys
        self._name, self._version = name, version

    def write(self, client: Client, caller: str, text: str | None) -> None:
        """None deletes the entry. Raises Failure."""
        data = {caller: None if text is None else base64.b64encode(text.encode()).decode()}
        try:
            patch_secret(client, self._name, {"metadata": {"resourceVersion": self._version}, "data": data})
        except ApiFailure as error:
            if error.status != 409:
                raise
            raise Failure(f"Somebody else has changed the Secret {self._name} meanwhile: try again") from None


def read_stored(client: Client, model: HeartModel) -> StoredKeys | None:
    """None: there is no Secret yet. Raises Failure for one that is malformed."""
    name = api_keys_name(model.name)
    try:
        secret = client.get(SECRET, name)
    except ApiFailure as error:
        if error.status == 404:
            return None
        raise
    keys = {}
    for caller, value in (secret.get("data") or {}).items():
        try:
            keys[caller] = read_keys(base64.b64decode(value).decode())
        except ValueError as error:
            raise Failure(f"Key {caller} of the Secret {name}: {error}") from None
    return StoredKeys(name, secret["metadata"]["resourceVersion"], keys)


def new_secret(model: HeartModel, entries: dict[str, str]) -> dict[str, object]:
    """Collected with the model: a later one of the same name inherits no callers."""
    owner = {"apiVersion": f"{GROUP}/{API_VERSION}", "kind": "HeartModel", "name": model.name, "uid": model.uid}
    metadata = {
        "name": api_keys_name(model.name),
        "labels": {Label.PART_OF: PART_OF, Label.MODEL: model.name},
        "ownerReferences": [owner],
    }
    return {"metadata": metadata, "type": "Opaque", "stringData": entries}
