"""The names of a served model's classes, whichever way its package says them."""

from typing import Any

import numpy as np
import pytest

from heart_api.contract import Target
from heart_model.labels import class_labels, same_class
from tests.support.serving.tiny_model import tiny_model

CASES: list[tuple[tuple[int | str, ...], Any, tuple[str, ...]]] = [
    ((0, 1), None, ("0", "1")),
    ((0, 1), ("no", "yes"), ("no", "yes")),
    ((1, 0), ("no", "yes"), ("yes", "no")),
    ((1, 0), {"0": "no", "1": "yes"}, ("yes", "no")),
    (("no", "yes"), ("yes", "no"), ("no", "yes")),
    (("yes", "no"), {"0": "no", "1": "yes"}, ("yes", "no")),
    (("b", "a"), ("no", "yes"), ("b", "a")),
]


@pytest.mark.parametrize(("classes", "labels", "names"), CASES)
def test_names_follow_the_classes(classes: Any, labels: Any, names: tuple[str, ...]) -> None:
    package = tiny_model(classes=classes).package
    assert class_labels(package.model_copy(update={"target": Target(name="ill", labels=labels)})) == names


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1.0"), (np.int64(1), 1), (np.str_("Ill "), "ill"), (np.True_, "true"), (True, "True"), (1.0, "01")],
)
def test_two_spellings_of_a_class(one: Any, other: Any) -> None:
    assert same_class(one, other)


def test_two_classes() -> None:
    assert not same_class("cancer", "not cancer")
    assert not same_class(0, False)
