"""Names of classes: how two spellings of one class are matched, and what a served model's classes are called."""

from numbers import Integral, Real
from typing import Any

from heart_api.package import ServingPackage


def spelling(value: Any) -> str:
    """A class as text, for comparison: `1`, `1.0` and `01` are one class, `True` and `true` as well.

    `value`: text, number or boolean, numpy's own types included.
    """
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Integral | Real):
        return _number(float(value))
    text = " ".join(str(value).split())
    try:
        return _number(float(text))
    except ValueError:
        return text.casefold()


def same_class(one: Any, other: Any) -> bool:
    return spelling(one) == spelling(other)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def class_values(package: ServingPackage) -> tuple[int | str, ...]:
    """The classes in the order of the model's outputs; none for regression."""
    if package.task == "regression":
        return ()
    return package.classes or tuple(range(len(package.reference.outputs[0])))


def class_labels(package: ServingPackage) -> tuple[str, ...]:
    """The class names in the same order: the labels of the target, else the classes themselves.

    A training writes the names themselves into the package, and those stand. Labels are laid over classes that are
    values: by value, or (a list) in ascending order of numbers.
    """
    classes, labels = class_values(package), package.target.labels
    plain = tuple(str(value) for value in classes)
    if labels is None or set(plain) == set(labels.values() if isinstance(labels, dict) else labels):
        return plain
    if isinstance(labels, dict):
        by_value = {spelling(key): label for key, label in labels.items()}
        return tuple(by_value.get(spelling(value), str(value)) for value in classes)
    numbers = [value for value in classes if isinstance(value, int)]
    if not len(labels) == len(numbers) == len(classes):
        return plain
    by_number = dict(zip(sorted(numbers), labels, strict=True))
    return tuple(by_number[value] for value in numbers)
