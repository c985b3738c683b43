"""Changes of a spec, field by field, from the CRD's own schema: what fits, what lies on a bound, what does not fit."""

import copy
from collections.abc import Iterator
from typing import Any

from tests.support.apiserver.client import Resource

Path = tuple[str, ...]
Mutation = tuple[Path, Any]
OTHER_KINDS: tuple[Any, ...] = ("zq7 mutant", -1, 1e9, True, [], {}, ["zq7"], {"zq7": 1})


def mutations(schema: Resource, path: Path = ()) -> Iterator[Mutation]:
    """(path below spec, value) for every field at any depth; lists are replaced whole."""
    for name, field in schema.get("properties", {}).items():
        here = (*path, name)
        for value in (*fitting(field), *beyond(field), *OTHER_KINDS):
            yield here, value
        yield from mutations(field, here)


def fitting(field: Resource) -> Iterator[Any]:
    yield from field.get("enum", ())
    for bound in ("minimum", "maximum", "default"):
        if bound in field:
            yield field[bound]
    if field.get("type") == "string":
        yield from ("5m", "1h30m", "250ms", "500m", "1Gi", "heart", "latest", "@champion")


def beyond(field: Resource) -> Iterator[Any]:
    if "minimum" in field:
        yield field["minimum"] - 1
    if "maximum" in field:
        yield field["maximum"] + 1
    if field.get("type") == "string":
        yield from ("", "x" * 5000, "-", "ü\n")


def with_mutation(spec: Resource, mutation: Mutation) -> Resource:
    """The spec with this field changed."""
    path, value = mutation
    changed = copy.deepcopy(spec)
    inner = changed
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    inner[path[-1]] = value
    return changed
