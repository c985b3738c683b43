"""The classes of a target column: their order (that of the model's outputs) and their names.

Names and values are matched by what they say, never by place, wherever both are text; what cannot be matched for
certain is an error. Only numbers have an ascending order that a list of labels may follow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from heart_api.contract import Target
from heart_model.labels import same_class, spelling
from heart_trainer.errors import DataInvalid

Value = int | str


@dataclass(frozen=True)
class Classes:
    """In the order of the model's outputs, of two the positive one last. `values`: as the file has them."""

    values: tuple[Value, ...]
    names: tuple[Value, ...]


def name_classes(found: tuple[Value, ...], target: Target) -> Classes:
    """Return the classes with their names, in the order of the model's outputs. `found`: the file's, ascending.

    Raises DataInvalid where `labels` or `positive` do not fit them.
    """
    named = _names(found, target)
    order = _order(found, named, target)
    return Classes(order, tuple(named[value] for value in order))


def threshold_names(target: Target) -> tuple[Value, Value]:
    """Return the names of the classes at or below positiveAbove, and above it. Raises DataInvalid."""
    if isinstance(target.labels, dict):
        named = _by_value((0, 1), target.labels)
        return named[0], named[1]
    return (target.labels[0], target.labels[1]) if target.labels else (0, 1)


def matching(found: Iterable[Value], wanted: object) -> list[Value]:
    """Return the classes that are spelt exactly as `wanted`, else those that mean the same (`1.0` and 1, `True` and
    true).
    """
    known = list(found)
    exact = [value for value in known if str(value) == str(wanted)]
    return exact or [value for value in known if same_class(value, wanted)]


def is_ordered_by_alphabet(classes: tuple[Value, ...], target: Target) -> bool:
    """Return whether nobody said which of two text classes is the positive one. `classes`: by name."""
    said = target.positive is not None or target.positive_above is not None or isinstance(target.labels, tuple)
    values = target.labels if isinstance(target.labels, dict) else classes
    return len(classes) == 2 and not said and not all(map(_has_an_order, values))


def _names(found: tuple[Value, ...], target: Target) -> Mapping[Value, Value]:
    """Value → name."""
    if target.labels is None:
        return {value: value for value in found}
    if isinstance(target.labels, dict):
        return _by_value(found, target.labels)
    if len(target.labels) != len(found):
        raise DataInvalid(
            f"spec.target.labels names {len(target.labels)} classes, the file has {len(found)} in {target.name}: "
            f"{listed(found)}."
        )
    own = {value: label for label in target.labels for value in matching(found, label)}
    if len(own) == len(found):
        return own
    if own or not all(map(_has_an_order, found)):
        mapping = ", ".join(f"{value}: …" for value in found)
        raise DataInvalid(
            f"spec.target.labels: {target.name} holds text ({listed(found)}), so a list cannot say which label belongs "
            f"to which class. Name each one by its value: labels: {{{mapping}}}."
        )
    return dict(zip(found, target.labels, strict=True))


def _by_value(found: tuple[Value, ...], labels: Mapping[str, str]) -> Mapping[Value, Value]:
    named = {value: label for key, label in labels.items() for value in matching(found, key)}
    if missing := [value for value in found if value not in named]:
        raise DataInvalid(
            f"spec.target.labels has no name for the class {listed(missing)}; it names {listed(labels)}. "
            "The keys are the values of the column: quote those that YAML would read otherwise."
        )
    if surplus := [key for key in labels if not matching(found, key)]:
        raise DataInvalid(
            f"spec.target.labels names {listed(surplus)}, which no row has; the file has {listed(found)}."
        )
    return named


def _order(found: tuple[Value, ...], named: Mapping[Value, Value], target: Target) -> tuple[Value, ...]:
    if target.positive is not None:
        positive = _positive(found, named, target)
        return (*(value for value in found if value != positive), positive)
    if isinstance(target.labels, tuple):  # a list of the file's own classes says their order too
        return tuple(sorted(found, key=lambda value: target.labels.index(str(named[value]))))  # type: ignore[union-attr]
    return found


def _positive(found: tuple[Value, ...], named: Mapping[Value, Value], target: Target) -> Value:
    """A value of the file; its label will do as well, unless that is the value of another class."""
    names = {named[value]: value for value in found}
    matches = matching(found, target.positive) or [names[name] for name in matching(names, target.positive)]
    if len(matches) != 1:
        raise DataInvalid(
            f"spec.target.positive is {spelling(target.positive)}, which is no class of {target.name}; the file has "
            f"{listed(found)}. Quote a value that YAML would read otherwise."
        )
    if len(found) != 2:
        raise DataInvalid(
            f"spec.target.positive belongs to two classes; the file has {len(found)} in {target.name}. Remove it."
        )
    return matches[0]


def _has_an_order(value: Value) -> bool:
    """Numbers and booleans; the order of the alphabet means nothing."""
    return isinstance(value, int) or spelling(value) in ("false", "true") or value.lstrip("-").isdecimal()


def listed(values: Iterable[object]) -> str:
    """Return the values as a person writes them, separated by commas."""
    return ", ".join(map(str, values))
