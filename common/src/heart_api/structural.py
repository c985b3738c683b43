"""pydantic's JSON schema → the structural OpenAPI v3 schema that a CRD needs.

Differences: no references, no titles, no `null` (an optional field is absent instead), no `additionalProperties:
false` (the API server prunes, and kubectl rejects, unknown fields), boolean `exclusiveMinimum`; defaults are in the
schema at every level, so that the API server fills them in.
"""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

DROPPED = ("title", "additionalProperties", "$defs", "default")
INT_OR_STRING = "x-kubernetes-int-or-string"
ANYTHING = "x-kubernetes-preserve-unknown-fields"
"""A field without a type: the API server stores what it is given, and the operator checks it."""


def structural_schema(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """Schema of a type; with `defaults=False` (status) the API server fills nothing in."""
    schema = model.model_json_schema(by_alias=True)
    return convert(schema, schema.get("$defs", {}), defaults=defaults)


def convert(schema: Schema, definitions: dict[str, Schema], *, defaults: bool) -> Schema:
    """One node and everything below it."""
    resolved = resolve(schema, definitions)
    if ANYTHING in resolved:
        return {key: resolved[key] for key in (ANYTHING, "description") if key in resolved}
    node = collapse(resolved, definitions)
    found = {key: value for key, value in node.items() if key not in DROPPED}
    if INT_OR_STRING in node:
        found = int_or_string(found)
    bounds(found)
    if "properties" in node:
        found["properties"] = {
            name: convert(value, definitions, defaults=defaults) for name, value in node["properties"].items()
        }
    if "items" in node:
        found["items"] = convert(node["items"], definitions, defaults=defaults)
    if isinstance(values := node.get("additionalProperties"), dict):
        found["additionalProperties"] = convert(values, definitions, defaults=defaults)
    if defaults:
        add_default(found, node)
    return found


def resolve(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The definition that a reference names, under what the field itself says (its description, its rules)."""
    if "$ref" not in schema:
        return schema
    definition = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    return {**resolve(definition, definitions), **{key: value for key, value in schema.items() if key != "$ref"}}


def collapse(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """`X | None` is X; `int | str` is Kubernetes' int-or-string."""
    if "anyOf" not in node:
        return node
    outer = {key: value for key, value in node.items() if key != "anyOf"}
    options = [option for option in node["anyOf"] if option.get("type") != "null"]
    if len(options) == 1:
        return {**collapse(resolve(options[0], definitions), definitions), **outer}
    if sorted(option.get("type", "") for option in options) != ["integer", "string"]:
        raise ValueError(f"a CRD cannot express this choice: {options}")
    return {**options[0], **options[1], **outer, INT_OR_STRING: True}


def int_or_string(node: Schema) -> Schema:
    """The one form of a choice that a structural schema knows."""
    rest = {key: value for key, value in node.items() if key not in ("type", "maxLength")}
    return {"anyOf": [{"type": "integer"}, {"type": "string"}], **rest}


def bounds(node: Schema) -> None:
    """JSON Schema 2020's numeric exclusive bounds and single values, as OpenAPI 3.0 writes them."""
    if "const" in node:
        node["enum"] = [node.pop("const")]
    for bound in ("inimum", "aximum"):
        if (value := node.pop(f"exclusiveM{bound}", None)) is not None:
            node[f"m{bound}"], node[f"exclusiveM{bound}"] = value, True


def add_default(node: Schema, source: Schema) -> None:
    """An object's default is spelt out: the API server tries its rules on it before it fills in the fields' own."""
    default = source.get("default")
    if default is None or default == []:
        return
    if "properties" in node:
        inner = {name: field["default"] for name, field in node["properties"].items() if "default" in field}
        default = {name: default[name] for name in node.get("required", ())} | inner
    node["default"] = without_nulls(default)


def without_nulls(value: Any) -> Any:
    """Remove null defaults: the API server rejects them where a field is simply absent."""
    if isinstance(value, dict):
        return {name: without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value
