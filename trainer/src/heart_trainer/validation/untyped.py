"""Fields that the schema leaves without a type, since it cannot express it: the operator checks those, as this does.

Without it, the Python types answer with a line for each type that a value could have had.
"""

from collections.abc import Iterator
from typing import Any

from heart_trainer.validation.schema import kind_of, wrong_type

LABELS, POSITIVE = "spec.target.labels", "spec.target.positive"


def broken_untyped(resource: dict[str, Any]) -> list[str]:
    """Messages about target labels and the positive class, which the schema leaves untyped.

    `resource` is a HeartModel that its schema accepts.
    """
    target = resource["spec"].get("target", {})
    return [*_labels(target.get("labels")), *_positive(target.get("positive"))]


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
    if not wrong and len(entries) < 2:
        yield f"{LABELS}: Invalid value: {len(entries)}: {LABELS} in body should have at least 2 items"


def _positive(value: Any) -> Iterator[str]:
    if kind_of(value) in ("number", "object", "array"):
        yield wrong_type(value, {"type": "boolean,integer,string"}, POSITIVE)
