"""Kubernetes objects → the values that decisions use: models, and what every kind has. No I/O."""

from typing import Any

from pydantic import ValidationError

from heart_api.heartmodel import HeartModel, HeartModelStatus
from heart_api.kube.values import Manifest

MAX_TEXT = 300
"""Maximum length of Kubernetes' messages that are passed on."""


class InvalidSpec(Exception):
    """A stored HeartModel that this version cannot read; the message names the field's path."""


def parse_model(raw: Manifest) -> HeartModel:
    """Raises InvalidSpec. An unreadable status counts as an empty one: it can always be worked out again."""
    meta = raw["metadata"]
    try:
        return HeartModel.model_validate(
            {
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "generation": meta.get("generation", 1),
                "annotations": meta.get("annotations") or {},
                "spec": raw.get("spec") or {},
                "status": parse_status(raw),
            }
        )
    except ValidationError as error:
        raise InvalidSpec(spell(error)) from None


def parse_status(raw: Manifest) -> HeartModelStatus:
    try:
        return HeartModelStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return HeartModelStatus()


def spell(error: ValidationError) -> str:
    """`spec.features.0.type: …; …`: where and what, and never the value."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False))


def owner_uids(item: Manifest) -> set[str]:
    return {owner["uid"] for owner in item["metadata"].get("ownerReferences") or ()}


def owned(item: Manifest, uid: str) -> bool:
    """Whether this very model (not a namesake that was deleted) owns the object, and it is not going away."""
    owners = item["metadata"].get("ownerReferences") or []
    return any(owner["uid"] == uid for owner in owners) and "deletionTimestamp" not in item["metadata"]


def condition(item: Manifest, *types: str) -> dict[str, Any] | None:
    """The first condition of one of the types that is True."""
    conditions: list[dict[str, Any]] = (item.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] in types and entry["status"] == "True"), None)


def condition_text(entry: dict[str, Any]) -> str:
    """What Kubernetes says in a condition."""
    return ": ".join(filter(None, (entry.get("reason"), entry.get("message"))))[:MAX_TEXT]
