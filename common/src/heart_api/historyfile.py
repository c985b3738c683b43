"""The whole history of a registered model in MLflow: one run, a file of JSON lines for each month.

The run is the one of the experiment `<registered model>.history` that has the tag heart_api.handover.Tag.HISTORY. Each
line is an entry of the outbox: id, type, time and what it is about.
"""

import re
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from heart_api.outbox import OutboxEntry

FOLDER = "history"
FILE = re.compile(r"history/[0-9]{4}-[0-9]{2}\.jsonl")
MAX_FILE = 8 * 1024 * 1024
"""Bytes of one month: about 15,000 entries."""


def experiment_name(registry_name: str) -> str:
    return f"{registry_name}.history"


def file_of(entry: OutboxEntry) -> str:
    """Path of the month's file below the run's artifacts."""
    return f"{FOLDER}/{entry.time[:7]}.jsonl"


def merged(content: bytes, entries: Iterable[OutboxEntry]) -> bytes:
    """The file with the entries that it does not have yet, by their ids."""
    known = {entry.id for entry in read_lines(content)}
    new = [line(entry) for entry in entries if entry.id not in known]
    before = content if not content or content.endswith(b"\n") else content + b"\n"
    return before + "".join(new).encode()


def line(entry: OutboxEntry) -> str:
    return entry.model_dump_json(by_alias=True, exclude={"pending"}) + "\n"


def read_lines(content: bytes) -> Iterator[OutboxEntry]:
    """Entries of a file; lines that are none (anybody with access to the workspace can write them) are left out."""
    for raw in content.splitlines():
        try:
            yield OutboxEntry.model_validate_json(raw)
        except ValidationError:
            continue
