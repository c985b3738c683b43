"""Copies of a resource with some values changed."""

import copy
from collections.abc import Mapping
from typing import Any

Resource = dict[str, Any]
GONE = object()
"""As a new value: the field is removed."""


def changed(changes: Mapping[str, Any], resource: Resource) -> Resource:
    """A copy with new values by dotted path; missing objects on the way are made."""
    result = copy.deepcopy(resource)
    for path, value in changes.items():
        *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
        node: Any = result
        for part in way:
            node = node[part] if isinstance(node, list) else node.setdefault(part, {})
        if value is GONE:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(value)
        else:
            node[last] = value
    return result
