"""Defaults of a structural schema, as the API server fills them in before it validates."""

import copy
from typing import Any

from heart_api.structural import Schema


def with_defaults(value: Any, schema: Schema) -> Any:
    """A copy in which every absent field has its default; a null where the schema has a default counts as absent."""
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        kept = {name: entry for name, entry in value.items() if not (entry is None and name in fields)}
        for name, field in fields.items():
            if name not in kept and "default" in field:
                kept[name] = copy.deepcopy(field["default"])
        return {name: with_defaults(entry, fields.get(name, {})) for name, entry in kept.items()}
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(entry, schema["items"]) for entry in value]
    return value
