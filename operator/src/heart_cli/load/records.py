"""What is sent: records drawn from the examples that the serving version publishes with its data contract."""

import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.reading import read_model

PORT = "http"
"""The port's name in the model's Service."""
DIFFERENT = 256
Record = dict[str, Any]


def service_path(client: Client, name: str, route: str) -> str:
    """A route of the model's Service through the API server's proxy."""
    return f"/api/v1/namespaces/{client.namespace}/services/{quote(name, safe='')}:{PORT}/proxy/{route}"


def read_examples(client: Client, name: str) -> list[Record]:
    """The `examples` of `GET /model`: made from reference rows, so they are nobody's records. Raises Failure."""
    return list(read_published(client, name, "examples"))


def read_example(client: Client, name: str) -> Record:
    """The `example` of `GET /model`: a typical record, and nobody's. Raises Failure."""
    return dict(read_published(client, name, "example"))


def read_published(client: Client, name: str, field: str) -> Any:
    """One field of `GET /model`.

    Raises:
        Failure: nothing serves, no pod answers, the user may not use the Service's proxy, or the field is not there.
    """
    if read_model(client, name).status.serving is None:
        raise Failure(f"{name} has no serving version yet: see kubectl heart status {name}")
    try:
        card = client.call("GET", service_path(client, name, "model"))
    except ApiFailure as error:
        raise Failure(explained(name, error)) from None
    found = card.get(field) if isinstance(card, dict) else None
    if not found:
        raise Failure(f"The serving version of {name} publishes no example records: its image is older than this tool")
    return found


def explained(name: str, error: ApiFailure) -> str:
    if error.status == 503:
        return f"No pod of {name} is ready ({error}): see kubectl heart status {name}"
    if error.status == 403:
        return f"{error} (load through the API server needs the right to get and create services/proxy)"
    return str(error)


def draw(examples: Sequence[Record], number: int = DIFFERENT, seed: int = 0) -> list[Record]:
    """`number` records, each value drawn from the examples' values of its feature; the same ones for the same seed."""
    chance = random.Random(seed)
    return [{name: chance.choice(examples)[name] for name in examples[0]} for _ in range(number)]
