"""Whether an existing object still matches the desired one: server-side apply writes, and a write needs a reason."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from heart_api.kube.values import Manifest
from heart_api.names import Annotation, short_hash
from heart_api.quantities import amount
from heart_api.resources import QUANTITY_PATTERN

WHOLE = frozenset({"selector", "podSelector", "namespaceSelector", "matchLabels"})
"""Maps that are replaced as a whole: one key more changes what they mean."""
MERGE_KEYS = ("name", "uid")


def stamp(manifest: Manifest) -> Manifest:
    """A copy annotated with its own hash, by which a field that is no longer set is noticed."""
    metadata = manifest["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    annotations[Annotation.APPLIED] = short_hash(json.dumps(manifest, sort_keys=True), length=16)
    return manifest | {"metadata": metadata | {"annotations": annotations}}


def needs_apply(desired: Manifest, living: Manifest | None) -> str | None:
    """Why the stamped `desired` must be applied; None if the object has all of its fields (others are ignored)."""
    if living is None:
        return "missing"
    found = difference(desired, living, "")
    return found.removeprefix(".") if found else None


def difference(desired: Any, living: Any, path: str) -> str | None:
    """Path of the first difference; an empty value is as good as none."""
    if desired is None or desired in ({}, [], ""):
        return path if living else None
    if isinstance(desired, Mapping):
        return map_difference(desired, living, path)
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        return list_difference(desired, living, path)
    return None if same_scalar(desired, living) else path


def map_difference(desired: Mapping[str, Any], living: Any, path: str) -> str | None:
    if not isinstance(living, Mapping):
        return path
    if path.rsplit(".", 1)[-1] in WHOLE and (extra := living.keys() - desired.keys()):
        return f"{path}.{min(extra)}"
    differences = (difference(value, living.get(key), f"{path}.{key}") for key, value in desired.items())
    return next(filter(None, differences), None)


def list_difference(desired: Sequence[Any], living: Any, path: str) -> str | None:
    """Lists with a merge key by that key (others may have added entries), any other list entry by entry."""
    if not isinstance(living, Sequence) or isinstance(living, str):
        return path
    if key := merge_key(desired):
        by_key = {item.get(key): item for item in living if isinstance(item, Mapping)}
        pairs = [(item, by_key.get(item[key]), f"{path}[{item[key]}]") for item in desired]
    elif len(desired) != len(living):
        return path
    else:
        pairs = [(item, living[index], f"{path}[{index}]") for index, item in enumerate(desired)]
    return next(filter(None, (difference(*pair) for pair in pairs)), None)


def merge_key(items: Sequence[Any]) -> str | None:
    return next((key for key in MERGE_KEYS if all(isinstance(item, Mapping) and key in item for item in items)), None)


def same_scalar(desired: Any, living: Any) -> bool:
    """The API server writes quantities its own way: `0.5` comes back as `500m`."""
    if desired == living:
        return True
    texts = str(desired), str(living)
    if isinstance(desired, bool) or not all(re.match(QUANTITY_PATTERN, text) for text in texts):
        return False
    return amount(texts[0]) == amount(texts[1])
