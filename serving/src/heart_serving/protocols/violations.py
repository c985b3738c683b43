"""Why a record breaks the contract, for people: the field and the bound, never the value."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from heart_api.contract import Feature
from heart_serving.errors import Violation

MAX_VIOLATIONS = 20
MAX_LISTED_VALUES = 20
FLOAT32_MAX = 3.4028234663852886e38
"""Rows reach the model as float32: a larger number would become infinity."""
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
"""What a field name looks like. Anything else that came as a key may be a value in the wrong place: not repeated."""
UNNAMED = "(unknown field)"

Path = tuple[str | int, ...]


def explain_record(features: Sequence[Feature], record: Any, path: Path) -> list[Violation]:
    """Every violation of one record; empty for a good one."""
    if not isinstance(record, dict):
        return [Violation(path, "dict_type", "must be an object with one entry per feature")]
    return [*_known_fields(features, record, path), *_unknown_fields(features, record, path)]


def plain_name(key: str) -> str:
    """The key as it may be repeated in an answer."""
    return key if PLAIN_NAME.fullmatch(key) else UNNAMED


def _known_fields(features: Sequence[Feature], record: dict[str, Any], path: Path) -> Iterator[Violation]:
    for feature in features:
        value = record.get(feature.name)
        if value is not None:
            yield from _explain_value(feature, value, (*path, feature.name))
        elif feature.required:
            kind = "null" if feature.name in record else "missing"
            yield Violation((*path, feature.name), "missing", f"is {kind}, but required")


def _unknown_fields(features: Sequence[Feature], record: dict[str, Any], path: Path) -> Iterator[Violation]:
    names = [feature.name for feature in features]
    for key in record:
        if key not in names:
            plain = plain_name(key)
            near = get_close_matches(plain, names, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Violation((*path, plain), "extra_forbidden", f"is not a feature of this model{hint}")


def _explain_value(feature: Feature, value: Any, path: Path) -> Iterator[Violation]:
    if feature.type == "boolean":
        if not isinstance(value, int | float) or value not in (0, 1):
            yield Violation(path, "bool_type", "must be true or false, or 1 or 0")
    elif feature.type == "category":
        allowed = (*(feature.values or ()), *(feature.codes or ()))
        if isinstance(value, bool) or not isinstance(value, int | float | str) or value not in allowed:
            yield _not_listed(feature, path)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        yield Violation(path, "float_type", f"must be a number{_in_brackets(feature)}")
    elif feature.type == "integer" and value != value // 1:
        yield Violation(path, "int_type", f"must be a whole number{_in_brackets(feature)}")
    else:
        yield from _explain_range(feature, value, path)


def _not_listed(feature: Feature, path: Path) -> Violation:
    values = (*(feature.values or ()), *(feature.codes or ()))
    shown = [repr(value) if isinstance(value, str) else str(value) for value in values[:MAX_LISTED_VALUES]]
    more = f" or one of {len(values) - len(shown)} more" if len(values) > len(shown) else ""
    listed = ", ".join(shown)
    return Violation(path, "enum", f"must be one of {listed}{more}", {"expected": listed + more})


def _explain_range(feature: Feature, value: float, path: Path) -> Iterator[Violation]:
    low = -FLOAT32_MAX if feature.minimum is None else feature.minimum
    high = FLOAT32_MAX if feature.maximum is None else feature.maximum
    if value < low:
        yield Violation(path, "greater_than_equal", f"must be at least {low:.15g}{_unit(feature)}", {"ge": low})
    elif value > high:
        yield Violation(path, "less_than_equal", f"must be at most {high:.15g}{_unit(feature)}", {"le": high})


def _unit(feature: Feature) -> str:
    return f" {feature.unit}" if feature.unit else ""


def _in_brackets(feature: Feature) -> str:
    return f" ({feature.unit})" if feature.unit else ""
