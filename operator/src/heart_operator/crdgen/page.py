"""docs/api/<kind>.md: fields of the spec and the status, and validation rules."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from heart_api.names import API_VERSION, GROUP
from heart_api.structural import INT_OR_STRING, Schema
from heart_operator.crdgen.crd import root_schema
from heart_operator.crdgen.definition import Definition

Row = tuple[str, ...]

LONGEST_PATTERN = 40
"""A longer one tells a reader less than the field's description."""


def introduction(definition: Definition) -> str:
    names = f"short name `{definition.short_name}`, category `heartops`"
    explain = f"kubectl explain {definition.kind.lower()}.spec"
    return f"""\
<!-- Generated from common/src/heart_api by `make generate`; do not edit. -->

# {definition.kind}

{definition.description}

`apiVersion: {GROUP}/{API_VERSION}`, namespaced, {names}. `{explain}`
shows the same in a terminal. A field that is not listed here does not exist: `kubectl apply` rejects it.

A minimal example:

```yaml
{definition.example}```
"""


def build_page(definition: Definition) -> str:
    """The whole page."""
    schema = root_schema(definition)
    sections = [
        introduction(definition),
        "## Spec\n",
        *object_sections("spec", schema["properties"]["spec"], spec_table),
        "## Rules\n\nChecked when a resource is applied; a violation is rejected with this message.\n",
        table(("Where", "Message"), rule_rows("", schema)),
        "## Status\n",
        *object_sections("status", schema["properties"]["status"], status_table),
        "### Conditions\n\nConditions have positive polarity, except those of kstatus, and carry the"
        " `observedGeneration` they are based on.\n",
        table(("Type", "True means"), [(f"`{name}`", text) for name, text in definition.conditions.items()]),
        "### Reasons\n\nShared by conditions and events; `kubectl heart explain REASON` shows one of them.\n",
        table(
            ("Reason", "Meaning", "What to do"), [(f"`{name}`", *found) for name, found in definition.reasons.items()]
        ),
        f"## Columns of `kubectl get {definition.plural}`\n",
        table(("Column", "From", "Shown"), [column_row(found) for found in definition.columns]),
    ]
    return "\n".join(sections)


def object_sections(path: str, schema: Schema, as_table: Callable[[Schema], str]) -> Iterator[str]:
    """One table per object, depth first."""
    yield f"### {path}\n\n{schema.get('description', '')}\n"
    yield as_table(schema)
    for name, field in schema["properties"].items():
        below, inner = (f"{path}.{name}[]", field["items"]) if "items" in field else (f"{path}.{name}", field)
        if "properties" in inner:
            yield from object_sections(below, inner, as_table)


def spec_table(schema: Schema) -> str:
    rows = [
        (f"`{name}`", type_name(field), default(name, field, schema), constraints(field), field.get("description", ""))
        for name, field in schema["properties"].items()
    ]
    return table(("Field", "Type", "Default", "Bounds", "Description"), rows)


def status_table(schema: Schema) -> str:
    rows = [
        (f"`{name}`", type_name(field), field.get("description", "")) for name, field in schema["properties"].items()
    ]
    return table(("Field", "Type", "Description"), rows)


def default(name: str, field: Schema, parent: Schema) -> str:
    """An object's own table shows its fields' defaults."""
    if "default" in field and "properties" not in field:
        return f"`{shown(field['default'])}`"
    return "*required*" if name in parent.get("required", ()) else ""


def type_name(field: Schema) -> str:
    if INT_OR_STRING in field:
        return "integer or string"
    if "type" not in field:
        return "several"
    if field["type"] == "array":
        return f"list of {type_name(field['items'])}"
    return str(field["type"])


def constraints(field: Schema) -> str:
    """The constraints of a field in the schema, as text for the reference page."""
    found = []
    if "enum" in field:
        found.append(" ".join(f"`{value}`" for value in field["enum"]))
    if "minimum" in field and INT_OR_STRING not in field:
        found.append(f"{'>' if field.get('exclusiveMinimum') else '≥'} {shown(field['minimum'])}")
    if "maximum" in field:
        found.append(f"{'<' if field.get('exclusiveMaximum') else '≤'} {shown(field['maximum'])}")
    if "maxItems" in field:
        found.append(f"{field.get('minItems', 0)}–{field['maxItems']} entries")
    if "maxLength" in field:
        found.append(f"at most {field['maxLength']} characters")
    if len(field.get("pattern", "")) in range(1, LONGEST_PATTERN):
        found.append(f"`{field['pattern']}`")
    if field.get("x-kubernetes-list-type") == "map":
        found.append(f"unique by `{field['x-kubernetes-list-map-keys'][0]}`")
    if field.get("x-kubernetes-list-type") == "set":
        found.append("unique")
    found += [constraints(field["items"])] if "items" in field and "properties" not in field["items"] else []
    return ", ".join(text for text in found if text)


def rule_rows(path: str, schema: Schema) -> Iterator[Row]:
    for found in schema.get("x-kubernetes-validations", ()):
        yield (f"`{path}{found.get('fieldPath', '')}`" if path else "", found["message"])
    for name, field in schema.get("properties", {}).items():
        yield from rule_rows(f"{path}.{name}".lstrip("."), field)
    if "items" in schema:
        yield from rule_rows(f"{path}[]", schema["items"])


def column_row(found: Mapping[str, Any]) -> Row:
    return (found["name"], f"`{found['jsonPath']}`", "with `-o wide`" if found.get("priority") else "always")


def shown(value: Any) -> str:
    """As one would write it in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def table(header: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; a `|` inside a cell would end it."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
