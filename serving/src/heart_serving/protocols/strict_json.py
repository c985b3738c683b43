"""Bytes to JSON values, strictly: one meaning per document, or a Problem that says where it ends."""

import json
from typing import Any

import orjson

from heart_serving.errors import Problem


def parse_json(body: bytes) -> Any:
    """Any JSON value in UTF-8. NaN, Infinity, numbers beyond a double, deep nesting and BOMs are malformed."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The parser's own text holds positions and no content.
        raise Problem(400, f"the body is not JSON: {error.msg.partition(':')[0]} at position {error.pos}") from None


def reject_duplicates(body: bytes, keys: int) -> None:
    """Raises Problem 400 when a name occurs twice in an object: which of two values is meant nobody knows.

    `keys` is how many the parsed document has. The quick parser keeps the last of equal names, so that then
    the text holds more colons than that. A colon inside a string looks the same: only the slow parser can tell.
    """
    if body.count(b":") != keys:
        try:
            json.loads(body, object_pairs_hook=_without_duplicates)
        except (RecursionError, ValueError):
            raise Problem(400, "the body is not JSON that this server accepts: nested too deeply") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem(400, "the body has two entries of the same name in one object")
    return found


def reject_duplicates_of(document: Any, body: bytes) -> None:
    """Raise Problem 400 if an object in `body`, of which `document` was parsed, repeats a key."""
    reject_duplicates(body, count_keys(document))


def count_keys(document: Any) -> int:
    """Entries of every object in the document. Without recursion: the parser allows more levels than Python does."""
    keys, waiting = 0, [document]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            keys += len(value)
            waiting.extend(value.values())
        elif type(value) is list and value and type(value[0]) in (dict, list):
            waiting.extend(value)
    return keys
