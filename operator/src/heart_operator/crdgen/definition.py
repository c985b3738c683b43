"""Input of the CRD generator for one kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from heart_api.explained import Explained
from heart_api.names import GROUP
from heart_api.rules import rule

LABEL_NAME = rule(
    "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "metadata.name is also a label: at most 63 characters of a-z, 0-9 and -",
)
"""The name is also the value of a label."""


@dataclass(frozen=True)
class Definition:
    """One kind: names, types, conditions and reasons."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Mapping[str, Any], ...]
    name_rule: Mapping[str, Any]
    example: str
    """The smallest useful resource, for its page."""
    conditions: Mapping[str, str]
    reasons: Mapping[str, Explained]
    subresources: Mapping[str, Any] = field(default_factory=lambda: {"status": {}})

    @property
    def name(self) -> str:
        """Of the CustomResourceDefinition, and of its file."""
        return f"{self.plural}.{GROUP}"


def column(name: str, path: str, *, kind: str = "string", wide: bool = False, description: str = "") -> dict[str, Any]:
    """A printer column; `wide` ones are shown by `-o wide`."""
    found: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    if description:
        found["description"] = description
    return found | {"priority": 1} if wide else found


def condition(type_: str, part: str) -> str:
    """Path of a condition's status or reason."""
    return f'.status.conditions[?(@.type=="{type_}")].{part}'
