"""The CRD's rules in CEL, evaluated as the API server does: on every value that carries some."""

import functools
from collections.abc import Iterator
from typing import Any

import cel

from heart_api.quantities import amount
from heart_api.structural import Schema
from heart_trainer.validation.schema import parts

REASONS = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}
WITH_VALUE = ("FieldValueInvalid", "FieldValueDuplicate")
"""Reasons whose message names the value, which for a rule is its type."""


def broken_rules(value: Any, schema: Schema, path: str) -> list[str]:
    """One line for each broken rule, from the outside to the inside."""
    return list(_broken(value, schema, path))


def _broken(value: Any, schema: Schema, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        # A rule about a change says nothing of a resource that is new.
        if "oldSelf" not in rule["rule"] and not holds(rule["rule"], value):
            yield _line(rule, schema, path)
    for part in parts(value, schema, path):
        yield from _broken(*part)


def holds(rule: str, value: Any) -> bool:
    context = cel.Context(variables={"self": value}, functions={"quantity": _quantity, "compareTo": _compare})
    return bool(_program(rule).execute(context))


@functools.cache
def _program(rule: str) -> cel.Program:
    return cel.compile(rule)


def _quantity(text: str) -> float:
    return float(amount(text))


def _compare(left: float, right: float) -> int:
    return (left > right) - (left < right)


def _line(rule: dict[str, str], schema: Schema, path: str) -> str:
    where = f"{path}{rule.get('fieldPath', '')}" or "metadata.name"
    reason = rule.get("reason", "FieldValueInvalid")
    kind = f' "{schema.get("type", "")}":' if reason in WITH_VALUE else ""
    return f"{where}: {REASONS[reason]}:{kind} {rule['message']}"
