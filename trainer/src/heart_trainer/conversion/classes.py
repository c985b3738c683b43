"""Which of a model's outputs belongs to which class of the contract: matched by name, never by place."""

from collections.abc import Sequence
from typing import Any

from heart_model.labels import spelling
from heart_trainer.errors import NotServable


def match_classes(own: Sequence[Any], wanted: tuple[int | str, ...]) -> list[int]:
    """For each class of the contract the place of its column among the model's. Raises NotServable.

    `own`: the model's `classes_`: the contract's names (any spelling), or the numbers that `Rows.y` gives them.
    """
    if len(own) != len(wanted):
        raise NotServable(
            f"The model knows {len(own)} classes ({_listed(own)}), the contract {len(wanted)} ({_listed(wanted)}). "
            "Fit it on rows.y of these rows."
        )
    by_name, by_number = _places(own, wanted), _places(own, range(len(wanted)))
    if by_name and by_number and by_name != by_number:
        raise NotServable(
            f"The model's classes ({_listed(own)}) are values of the target as well as numbers of rows.y, which "
            "stand for other classes. Name the classes in spec.target.labels, and fit the model on "
            "np.array(rows.classes)[rows.y]."
        )
    found = by_name or by_number
    if not found:
        raise NotServable(
            f"The model's classes ({_listed(own)}) are not those of the contract ({_listed(wanted)}). "
            "Fit it on rows.y, or on np.array(rows.classes)[rows.y]."
        )
    return found


def _places(own: Sequence[Any], wanted: Sequence[Any]) -> list[int]:
    """Where each wanted class is; empty where they are not the same."""
    known = {_key(value): place for place, value in enumerate(own)}
    places = [known.get(_key(value)) for value in wanted]
    if len(known) < len(own) or None in places:
        return []
    return [place for place in places if place is not None]


def _key(value: Any) -> str:
    """The text by which two class values are the same: booleans count as 0 and 1."""
    text = spelling(value)
    return {"false": "0", "true": "1"}.get(text, text)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))
