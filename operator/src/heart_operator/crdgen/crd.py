"""The CustomResourceDefinition of a kind."""

import json
from typing import Any

from heart_api.names import API_VERSION, GROUP
from heart_api.rules import rules
from heart_api.structural import Schema, structural_schema
from heart_operator.crdgen.definition import Definition

API_VERSION_TEXT = f"Versioned schema of this representation of an object: `{GROUP}/{API_VERSION}`."
KIND_TEXT = "Name of the REST resource that this object represents. Cannot be updated. In CamelCase."


def told_defaults(schema: Schema) -> Schema:
    """The same with each default in its description, as the core kinds have it: `kubectl explain` prints that alone."""
    found = dict(schema)
    default, text = schema.get("default"), str(schema.get("description", ""))
    if isinstance(default, str | int | float) and default != "" and text and "efault" not in text:
        shown = default if isinstance(default, str) else json.dumps(default)
        found["description"] = f"{text.rstrip()} Defaults to {shown}."
    if "properties" in schema:
        found["properties"] = {name: told_defaults(part) for name, part in schema["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            found[inner] = told_defaults(schema[inner])
    return found


def root_schema(definition: Definition) -> Schema:
    return {
        "description": definition.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": API_VERSION_TEXT},
            "kind": {"type": "string", "description": KIND_TEXT},
            "metadata": {"type": "object"},
            "spec": structural_schema(definition.spec),
            "status": structural_schema(definition.status, defaults=False),
        },
        **rules(dict(definition.name_rule)),
    }


def build_crd(definition: Definition) -> dict[str, Any]:
    """As data, ready for YAML."""
    version = {
        "name": API_VERSION,
        "served": True,
        "storage": True,
        "subresources": dict(definition.subresources),
        "additionalPrinterColumns": [dict(found) for found in definition.columns],
        "schema": {"openAPIV3Schema": told_defaults(root_schema(definition))},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": [definition.short_name],
                "categories": ["heartops"],
            },
            "versions": [version],
        },
    }
