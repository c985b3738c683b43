"""Classes are matched by what they say: an answer is never turned round, whatever the order of labels."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from heart_api.contract import Target
from heart_api.training import Training
from heart_trainer.data.classes import is_ordered_by_alphabet
from heart_trainer.data.target import encode_target, texts_of_classes
from heart_trainer.errors import DataInvalid


def names(texts: list[str], **target: Any) -> tuple[tuple[int | str, ...], list[Any]]:
    """(classes, the class of each row by name)."""
    task, y, classes = encode_target(pd.Series(texts, dtype=object), Target(name="ill", **target), Training())
    assert task == ("binary" if len(classes) == 2 else "multiclass")
    return classes, [classes[index] for index in y]


ILL = ["not cancer", "cancer", "cancer"]
MATCHED = [
    (ILL, {}, ("cancer", "not cancer"), ILL),
    (ILL, {"labels": ["not cancer", "cancer"]}, ("not cancer", "cancer"), ILL),
    (ILL, {"labels": ["cancer", "not cancer"]}, ("cancer", "not cancer"), ILL),
    (ILL, {"positive": "cancer"}, ("not cancer", "cancer"), ILL),
    (
        ILL,
        {"positive": "Cancer", "labels": {"cancer": "ill", "not cancer": "well"}},
        ("well", "ill"),
        ["well", "ill", "ill"],
    ),
    (
        ILL,
        {"positive": "ill", "labels": {"cancer": "ill", "not cancer": "well"}},
        ("well", "ill"),
        ["well", "ill", "ill"],
    ),
    (ILL, {"labels": ["Not Cancer", "Cancer"]}, ("Not Cancer", "Cancer"), ["Not Cancer", "Cancer", "Cancer"]),
    (["0", "1", "1.0"], {"labels": ["no", "yes"]}, ("no", "yes"), ["no", "yes", "yes"]),
    (["0", "1", "1.0"], {"labels": {0: "no", 1: "yes"}}, ("no", "yes"), ["no", "yes", "yes"]),
    (["0", "1", "1"], {"labels": {1: "yes", 0: "no"}, "positive": 0}, ("yes", "no"), ["no", "yes", "yes"]),
    (["0", "1", "1"], {"labels": ["no", "yes"], "positive": 0}, ("yes", "no"), ["no", "yes", "yes"]),
    (["1", "2", "2"], {"positive": 1}, (2, 1), [1, 2, 2]),
    (["0", "1", "1"], {"labels": ["1", "0"]}, ("1", "0"), ["0", "1", "1"]),
    (["False", "True"], {"positive": True}, ("False", "True"), ["False", "True"]),
    (["False", "True"], {"positive": False}, ("True", "False"), ["False", "True"]),
    (["False", "True"], {"labels": ["well", "ill"]}, ("well", "ill"), ["well", "ill"]),
    (["False", "True"], {"labels": {True: "ill", False: "well"}}, ("well", "ill"), ["well", "ill"]),
    (["b", "a", "c"], {"labels": ["c", "a", "b"]}, ("c", "a", "b"), ["b", "a", "c"]),
    (["2", "10", "1"], {"labels": ["one", "two", "ten"]}, ("one", "two", "ten"), ["two", "ten", "one"]),
    (["yes", "Yes"], {"positive": "yes"}, ("Yes", "yes"), ["yes", "Yes"]),
]


@pytest.mark.parametrize(("texts", "target", "classes", "rows"), MATCHED)
def test_every_row_keeps_its_class(texts: list[str], target: dict[str, Any], classes: Any, rows: list[Any]) -> None:
    assert names(texts, **target) == (classes, rows)


REJECTED = [
    (["ill", "well"], {"labels": ["no disease", "disease"]}, r"labels: \{ill: …, well: …\}"),
    (ILL, {"labels": ["healthy", "cancer"]}, "Name each one by its value"),
    (["0", "1"], {"labels": ["a", "b", "c"]}, "names 3 classes, the file has 2"),
    (["0", "1"], {"labels": {"0": "no", "2": "yes"}}, "no name for the class 1"),
    (["0", "1"], {"labels": {"0": "no", "1": "yes", "2": "maybe"}}, "names 2, which no row has; the file has 0, 1"),
    (["0", "1"], {"positive": "yes"}, r"spec\.target\.positive is yes, which is no class of ill; the file has 0, 1"),
    (["0", "1", "2"], {"positive": 2}, "belongs to two classes; the file has 3"),
]


@pytest.mark.parametrize(("texts", "target", "words"), REJECTED)
def test_what_cannot_be_matched_is_rejected(texts: list[str], target: dict[str, Any], words: str) -> None:
    with pytest.raises(DataInvalid, match=words):
        names(texts, **target)


@pytest.mark.parametrize(
    "target",
    [
        {"labels": ["a", "a"]},
        {"labels": {"0": "a", "1": "a"}},
        {"labels": ["a", "b", "c"], "positiveAbove": 0},
        {"positive": 1, "positiveAbove": 0},
        {"positive": 0.5},
        {"labels": "a, b"},
    ],
)
def test_a_target_that_contradicts_itself_is_no_target(target: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Target.model_validate({"name": "ill", **target})


@pytest.mark.parametrize("labels", [["low", "high"], {0: "low", 1: "high"}])
def test_labels_of_a_threshold(labels: Any) -> None:
    task, y, classes = encode_target(
        pd.Series(["3", "0"]), Target(name="n", positive_above=1, labels=labels), Training()
    )
    assert (task, list(y), classes) == ("binary", [1, 0], ("low", "high"))


def test_only_an_order_by_alphabet_is_worth_a_remark() -> None:
    assert is_ordered_by_alphabet(("cancer", "not cancer"), Target(name="ill"))
    for target in (Target(name="ill", positive="cancer"), Target(name="ill", labels=("not cancer", "cancer"))):
        assert not is_ordered_by_alphabet(("cancer", "not cancer"), target)
    assert not is_ordered_by_alphabet((0, 1), Target(name="ill"))
    assert not is_ordered_by_alphabet(("False", "True"), Target(name="ill"))


def test_outcomes_go_back_to_the_text_of_their_own_class() -> None:
    target = Target.model_validate({"name": "ill", "labels": {"w": "well", "i": "ill"}, "positive": "i"})
    texts = pd.Series(["i", "w", "w"], dtype=object)
    assert texts_of_classes(texts, target, Training()) == {"well": "w", "ill": "i"}
    turned = Target(name="ill", labels=("no", "yes"), positive=0)
    assert texts_of_classes(pd.Series(["0", "1"]), turned, Training()) == {"no": "0", "yes": "1"}
    assert np.array_equal(encode_target(pd.Series(["0", "1"]), turned, Training())[1], [1, 0])
