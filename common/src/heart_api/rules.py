"""Annotations of the types for the CRD schema alone: CEL rules and merge strategies of lists.

The API server rejects a CRD whose rules could cost too much, so every list and every string that a rule reads has a
maximum length.
"""

from typing import Any, Literal

KeyWord = dict[str, Any]
Reason = Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"]


def rule(cel: str, message: str, field: str | None = None, reason: Reason = "FieldValueInvalid") -> KeyWord:
    """A demand in CEL (`self` is the value it stands on); `field` is the path that the error names, as `.minimum`."""
    found = {"rule": cel, "message": message, "reason": reason}
    return found | {"fieldPath": field} if field else found


def rules(*found: KeyWord) -> KeyWord:
    """For `json_schema_extra` of a model or a field."""
    return {"x-kubernetes-validations": list(found)}


def list_map(key: str) -> KeyWord:
    """A list whose entries are known by one of their fields, which is therefore unique."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


LIST_SET: KeyWord = {"x-kubernetes-list-type": "set"}
"""A list without repetitions."""

UNTYPED: KeyWord = {"x-kubernetes-preserve-unknown-fields": True}
"""A choice of types that no structural schema can express: the Python types check it, and CEL cannot see the field."""
