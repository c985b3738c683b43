"""What is sent: records drawn from the examples that the serving version publishes with its data contract."""

import random
from collections.abc import Sequence
from typing import Any

from heart_cli.errors import Failure
from heart_cli.modelservice import ModelService

DIFFERENT = 256
Record = dict[str, Any]


def read_examples(service: ModelService) -> list[Record]:
    """The `examples` of `GET /model`: synthetic records derived from the reference rows. Raises Failure."""
    return list(read_published(service, "examples"))


def read_example(service: ModelService) -> Record:
    """The `example` of `GET /model`: a typical synthetic record. Raises Failure."""
    return dict(read_published(service, "example"))


def read_published(service: ModelService, field: str) -> Any:
    """One field of `GET /model`. Raises Failure when no pod answers, or the field is not there."""
    card = service.call("GET", "model")
    found = card.get(field) if isinstance(card, dict) else None
    if not found:
        name = service.name
        raise Failure(f"The serving version of {name} publishes no example records: its image is older than this tool")
    return found


def draw(examples: Sequence[Record], number: int = DIFFERENT, seed: int = 0) -> list[Record]:
    """`number` records, each value drawn from the examples' values of its feature; the same ones for the same seed."""
    chance = random.Random(seed)
    return [{name: chance.choice(examples)[name] for name in examples[0]} for _ in range(number)]
