"""What is to be predicted: classes or numbers, and which class is the positive one."""

import re
import shlex
from dataclasses import dataclass

from heart_cli.errors import Failure
from heart_cli.new.infer import contract_name
from heart_cli.new.text_formats import reading_of
from heart_table.summary import Column

MOST_CLASSES = 20
"""Distinct values from which on a column of whole numbers is measured rather than a class."""
FEWEST = 10
"""Rows of a class that a training needs."""
ABOVE = re.compile(r">\s*([+-]?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class InferredTarget:
    name: str
    column: str | None
    task: str
    positive: int | str | None = None
    positive_above: float | None = None
    classes: tuple[tuple[int | str, int], ...] = ()
    """Value and rows, ascending; empty for regression."""


def infer_target(column: Column, positive: str | None) -> InferredTarget:
    """Raises Failure: the column cannot be a target, or the positive class has to be named."""
    name = contract_name(column.name)
    own = None if name == column.name else column.name
    if column.missing:
        raise Failure(
            f"{column.name} is missing in {column.missing} rows: take the rows without a target out of the file"
        )
    classes = _classes(column)
    above = ABOVE.fullmatch(positive.strip()) if positive else None
    if above:
        return _above(column, name, own, float(above[1]))
    if not classes:
        if positive:
            raise Failure(
                f"{column.name} is a measured number: write --positive '>LIMIT', or leave it out for regression"
            )
        return InferredTarget(name, own, "regression")
    if len(classes) == 1:
        raise Failure(f"{column.name} has the same value in every row: there is nothing to learn")
    rare = [value for value, count in classes if count < FEWEST]
    if rare:
        limit = ", or write --positive '>LIMIT'" if column.is_numeric else ""
        raise Failure(
            f"{column.name} has classes of fewer than {FEWEST} rows ({', '.join(map(str, rare))}), too few to learn:"
            f" add rows, merge classes, or take them out of the file{limit}"
        )
    if len(classes) > 2:
        if positive:
            raise Failure(f"{column.name} has {len(classes)} classes: {_listed(classes)}. {_CHOICE}")
        return InferredTarget(name, own, "classification", classes=classes)
    chosen = next((value for value, _ in classes if str(value) == positive), None)
    if chosen is None:
        first, last = classes[0][0], classes[-1][0]
        raise Failure(
            f"{column.name} has two classes: {_listed(classes)}. Which one is the positive class, the one to find? "
            f"Add --positive {shlex.quote(str(last))} or --positive {shlex.quote(str(first))}"
        )
    return InferredTarget(name, own, "classification", positive=chosen, classes=classes)


_CHOICE = "Leave --positive out to tell them all apart, or write --positive '>LIMIT' for two classes of a number"


def _classes(column: Column) -> tuple[tuple[int | str, int], ...]:
    """(value, rows) of each class, ascending; empty where the column is measured."""
    if not column.is_numeric:
        if column.many_texts or len(column.text_counts) + len(column.numbers) > MOST_CLASSES:
            why = reading_of(column.categories) or f"it is text with more than {MOST_CLASSES} different values"
            raise Failure(f"{column.name} cannot be the target: {why}")
        counted = {**column.text_counts, **{f"{number:g}": count for number, count in column.numbers.items()}}
        return tuple(sorted(counted.items()))
    if column.many_numbers or not column.whole or len(column.numbers) > MOST_CLASSES:
        return ()
    return tuple((int(value), count) for value, count in sorted(column.numbers.items()))


def _above(column: Column, name: str, own: str | None, limit: float) -> InferredTarget:
    if not column.is_numeric or column.least > limit or column.greatest <= limit:
        raise Failure(f"{column.name} has not numbers on both sides of {limit:g}")
    return InferredTarget(name, own, "classification", positive_above=limit)


def _listed(classes: tuple[tuple[int | str, int], ...]) -> str:
    return ", ".join(f"{value} ({count} rows)" for value, count in classes)
