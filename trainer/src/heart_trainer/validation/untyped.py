"""Fields that the schema leaves without a type, since it cannot express it: the operator checks those, as this does.

Without it, the Python types answer with a line for each type that a value could have had.
"""

from collections.abc import Iterator
from typing import Any

from heart_api.contract import MAX_CLASSES, number_and_text
from heart_trainer.validation.schema import kind_of, wrong_type

MOST_LETTERS = 63
LABELS, POSITIVE = "spec.target.labels", "spec.target.positive"


def broken_untyped(resource: dict[str, Any]) -> list[str]:
    """Messages about target labels and the positive class, which the schema leaves untyped.

    `resource` is a HeartModel that its schema accepts.
    """
    target = resource["spec"].get("target", {})
    return [*_labels(target.get("labels")), *_positive(target.get("positive")), *_values(resource["spec"]["features"])]


def _values(features: list[dict[str, Any]]) -> Iterator[str]:
    for place, feature in enumerate(features):
        if both := number_and_text(feature.get("values") or ()):
            yield f"spec.features[{place}].values: {both[0]} is there as a number and as text; keep one of the two"


def _labels(labels: Any) -> Iterator[str]:
    if labels is None:
        return
    if isinstance(labels, dict):
        entries = [(f"{LABELS}.{value}", label) for value, label in labels.items()]
    elif isinstance(labels, list):
        entries = [(f"{LABELS}[{place}]", label) for place, label in enumerate(labels)]
    else:
        yield f"{LABELS}: write a list of names, or a name for each value: {{0: no disease, 1: disease}}"
        return
    wrong = [wrong_type(label, {"type": "string"}, path) for path, label in entries if not isinstance(label, str)]
    yield from wrong
    yield from (line for _, label in entries if isinstance(label, str) for line in _too_long(label, LABELS))
    if isinstance(labels, dict):
        yield from (line for value in labels for line in _too_long(value, LABELS))
    if not wrong and len(entries) < 2:
        yield f"{LABELS}: Invalid value: {len(entries)}: {LABELS} in body should have at least 2 items"
    if len(entries) > MAX_CLASSES:
        yield f"{LABELS}: Too many: {len(entries)}: must have at most {MAX_CLASSES} items"


def _positive(value: Any) -> Iterator[str]:
    if kind_of(value) in ("number", "object", "array"):
        yield wrong_type(value, {"type": "boolean,integer,string"}, POSITIVE)
    if value == "":
        yield f'{POSITIVE}: Invalid value: "": {POSITIVE} in body should be at least 1 chars long'
    if isinstance(value, str):
        yield from _too_long(value, POSITIVE)


def _too_long(text: str, path: str) -> Iterator[str]:
    if len(text) > MOST_LETTERS:
        yield f"{path}: Too long: may not be more than {MOST_LETTERS} bytes"
