"""A value against a structural schema, with the API server's messages."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from heart_api.structural import INT_OR_STRING, Schema

Check = Callable[[Any, Schema, str], Iterator[str]]


def unknown_fields(value: Any, schema: Schema, path: str) -> list[str]:
    """Fields that the schema does not have: `unknown field "spec.trainning"`."""
    return list(_unknown(value, schema, path))


def _unknown(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, dict) and "properties" in schema:
        for name, entry in value.items():
            if name not in schema["properties"]:
                yield f'unknown field "{path}.{name}"'
            else:
                yield from _unknown(entry, schema["properties"][name], f"{path}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, entry in enumerate(value):
            yield from _unknown(entry, schema["items"], f"{path}[{index}]")


def broken_schema(value: Any, schema: Schema, path: str) -> list[str]:
    """One line for each mistake; what is of another type is not looked into."""
    return list(_broken(value, schema, path))


def _broken(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not _is_of_type(value, schema):
        yield wrong_type(value, schema, path)
        return
    for check in _CHECKS:
        yield from check(value, schema, path)
    for part in parts(value, schema, path):
        yield from _broken(*part)


def parts(value: Any, schema: Schema, path: str) -> Iterator[tuple[Any, Schema, str]]:
    """An object's fields and a list's entries, each with its schema and its path."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield entry, field_schema(schema, name), f"{path}.{name}".lstrip(".")
    if isinstance(value, list) and "items" in schema:
        for index, entry in enumerate(value):
            yield entry, schema["items"], f"{path}[{index}]"


def field_schema(schema: Schema, name: str) -> Schema:
    """Of an object's field; anything goes where the schema does not say."""
    found: Schema = schema.get("properties", {}).get(name) or schema.get("additionalProperties") or {}
    return found


def kind_of(value: Any) -> str:
    """The JSON Schema name of a value's type; `null` for anything else."""
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number", dict: "object", list: "array"}
    return kinds.get(type(value), "null")


def _is_of_type(value: Any, schema: Schema) -> bool:
    if schema.get(INT_OR_STRING):
        return kind_of(value) in ("integer", "string")
    wanted = schema.get("type")
    return wanted is None or kind_of(value) == wanted or (wanted == "number" and kind_of(value) == "integer")


def wrong_type(value: Any, schema: Schema, path: str) -> str:
    """The line about a value of another type than the schema's."""
    wanted = "integer,string" if schema.get(INT_OR_STRING) else schema["type"]
    kind = kind_of(value)
    return f'{path}: Invalid value: "{kind}": {path} in body must be of type {wanted}: "{kind}"'


def _required(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}.{name}: Required value".lstrip(".")


def _enum(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: Unsupported value: {_json(value)}: supported values: {', '.join(map(_json, schema['enum']))}"


def _numbers(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if not math.isfinite(value):
        yield f"{path}: Invalid value: {path} in body must be a finite number: JSON has neither infinity nor NaN"
        return
    least, most = schema.get("minimum"), schema.get("maximum")
    for bound, broken, strict, word in (
        (least, least is not None and value < least, schema.get("exclusiveMinimum"), "greater than"),
        (most, most is not None and value > most, schema.get("exclusiveMaximum"), "less than"),
    ):
        if bound is not None and (broken or (strict and value == bound)):
            demand = word if strict else f"{word} or equal to"
            yield f"{path}: Invalid value: {_json(value)}: {path} in body should be {demand} {_json(bound)}"


def _texts(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        return
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{path}: Too long: may not be more than {_count(schema['maxLength'], 'byte')}"
    if len(value) < schema.get("minLength", 0):
        least = schema["minLength"]
        yield f"{path}: Invalid value: {_json(value)}: {path} in body should be at least {least} chars long"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: Invalid value: {_json(value)}: {path} in body should match '{schema['pattern']}'"


def _lists(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        return
    count = len(value)
    if count > schema.get("maxItems", count):
        yield f"{path}: Too many: {count}: must have at most {schema['maxItems']} items"
    if count < schema.get("minItems", 0):
        yield f"{path}: Invalid value: {count}: {path} in body should have at least {schema['minItems']} items"
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys or schema.get("x-kubernetes-list-type") == "set":
        yield from _twice(value, keys, schema.get("items", {}), path)


def _maps(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: Too many: {len(value)}: must have at most {schema['maxProperties']} items"
    if len(value) < schema.get("minProperties", 0):
        least = schema["minProperties"]
        yield f"{path}: Invalid value: {len(value)}: {path} in body should have at least {least} properties"


def _twice(value: list[Any], keys: list[str] | None, items: Schema, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, entry in enumerate(value):
        known = {key: entry.get(key) for key in keys} if keys and isinstance(entry, dict) else entry
        text = _json(known)
        if text in seen and (keys or _is_of_type(entry, items)):
            yield f"{path}[{index}]: Duplicate value: {text}"
        seen.add(text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_CHECKS: tuple[Check, ...] = (_required, _enum, _numbers, _texts, _lists, _maps)
