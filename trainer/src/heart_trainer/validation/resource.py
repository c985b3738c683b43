"""A resource as data → the API server's complaints, in its order: unknown fields, then the schema, then the rules."""

import functools
from typing import Any

from heart_api.heartmodel import NAME_RULE, HeartModelSpec
from heart_api.rules import rules
from heart_api.structural import Schema, structural_schema
from heart_trainer.validation.defaults import with_defaults
from heart_trainer.validation.rules import broken_rules
from heart_trainer.validation.schema import broken_schema, unknown_fields
from heart_trainer.validation.untyped import broken_untyped


@functools.cache
def resource_schema() -> Schema:
    """Of a HeartModel; what else metadata may hold is the API server's own business."""
    return {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": structural_schema(HeartModelSpec),
        },
        **rules(dict(NAME_RULE)),
    }


def complaints(resource: dict[str, Any]) -> list[str]:
    """Lines such as `spec.features[1].minimum: Invalid value: …`; empty for a resource that would be accepted."""
    schema = resource_schema()
    judged = {name: resource[name] for name in ("metadata", "spec") if name in resource}
    spec = judged.get("spec")
    unknown = unknown_fields(spec, schema["properties"]["spec"], "spec") if isinstance(spec, dict) else []
    if unknown:
        return unknown
    completed = with_defaults(judged, schema)
    broken = broken_schema(completed, schema, "") or broken_untyped(completed)
    return broken or broken_rules(completed, schema, "")
