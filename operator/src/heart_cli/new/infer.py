"""From what a column holds to what the contract says of it. Guesses, each with a remark for the person who decides."""

import itertools
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from heart_cli.new.text_formats import reading_of
from heart_table.sentinels import USUAL
from heart_table.summary import MOST_CODES, MOST_TEXTS, Column

MARGIN = 0.1
"""Of the range, beyond the least and the greatest value of the file."""
MOST_VALUES = 50
"""Distinct texts from which on a column is no category."""
LONGEST_VALUE = 63
FEWEST_ROWS = 3
"""Rows for each text of a category, on average: from fewer, the texts would tell of single rows."""
IDENTIFIER = re.compile(r"(^|[ _.-])(id|uuid|key|no|nr|number|index|name|code)$|^unnamed", re.I)
SENSITIVE = re.compile(
    r"(^|[ _.-])(age|sex|gender|race|racial|ethnic\w*|religion|nationality|birth\w*|marital\w*|disab\w*|income|"
    r"alter|geschlecht|sexe|edad|sexo)([ _.-]|$)",
    re.I,
)


@dataclass(frozen=True)
class InferredFeature:
    """One feature of the resource; `remarks`: what a person must decide."""

    name: str
    column: str | None
    type: str
    values: tuple[int | str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = True
    sensitive: bool = False
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    column: str
    why: str


def infer_feature(column: Column, rows: int, taken: Iterable[str]) -> InferredFeature | LeftOut:
    """`taken`: names that other columns have already."""
    why = _no_feature(column, rows)
    if why:
        return LeftOut(column.name, why)
    name = contract_name(column.name, taken)
    kind, values, remarks = _kind(column)
    codes, remarks_on_codes = _sentinels(column, rows) if kind in ("number", "integer") else ((), [])
    minimum, maximum = _bounds(column, codes) if kind in ("number", "integer") else (None, None)
    sensitive = SENSITIVE.search(column.name) is not None
    remarks += [*remarks_on_codes, *(["sensitive: quality is also measured by group"] if sensitive else [])]
    return InferredFeature(
        name=name,
        column=None if name == column.name else column.name,
        type=kind,
        values=values,
        minimum=minimum,
        maximum=maximum,
        required=not (column.missing or codes),
        sensitive=sensitive,
        missing=tuple(map(shortest, codes)),
        remarks=tuple(remarks),
    )


def contract_name(column: str, taken: Iterable[str] = ()) -> str:
    """A name that the contract allows: letters, digits and underscores; `_2` where another column has it already."""
    plain = unicodedata.normalize("NFKD", column.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-") or "column"
    name = f"_{name}"[:60] if name[0].isdigit() else name[:60]
    used = set(taken)
    numbered = (f"{name}_{number}" for number in range(2, 10_000))
    return next(found for found in itertools.chain([name], numbered) if found not in used)


def _no_feature(column: Column, rows: int) -> str:
    known = rows - column.missing
    if known == 0:
        return "it is empty"
    if len(column.categories) + len(column.numbers) == 1 and not (column.many_texts or column.many_numbers):
        return "it has one value in every row"
    if IDENTIFIER.search(column.name) and _distinct(column) > 0.9 * known:
        return "nearly every row has a value of its own: it looks like an identifier"
    if not column.is_numeric and (column.many_texts or len(column.categories) > MOST_VALUES):
        many = f"it is text with more than {min(MOST_VALUES, MOST_TEXTS)} different values"
        return reading_of(column.categories) or many
    if not column.is_numeric and len(column.categories) * FEWEST_ROWS > known:
        return f"its values occur in fewer than {FEWEST_ROWS} rows each: it looks like text about single rows"
    if any(len(word) > LONGEST_VALUE for word in column.categories):
        return f"it is text of more than {LONGEST_VALUE} characters"
    return ""


def _distinct(column: Column) -> float:
    many = column.many_texts or column.many_numbers
    return math.inf if many else len(column.text_counts) + len(column.numbers)


def _kind(column: Column) -> tuple[str, tuple[int | str, ...], list[str]]:
    """(type, values, remarks)"""
    if not column.is_numeric:
        texts = column.categories
        if {word.lower() for word in texts} == {"true", "false"} and not column.numbers:
            return "boolean", (), []
        numbers = [shortest(number) for number in sorted(column.numbers)]
        return "category", (*texts, *numbers), []
    if set(column.numbers) <= {0.0, 1.0} and not column.many_numbers:
        return "boolean", (), ["0 and 1; where they name two groups: type category with values [0, 1]"]
    codes = [int(value) for value in sorted(column.numbers) if value.is_integer()]
    if column.whole and not column.many_numbers and len(codes) <= MOST_CODES:
        return "category", tuple(codes), ["codes? If they are counts or steps: type integer"]
    return ("integer" if column.whole else "number"), (), []


def _sentinels(column: Column, rows: int) -> tuple[tuple[float, ...], list[str]]:
    """(values taken for missing, remarks)"""
    codes, remarks = [], []
    for value, count in column.sentinels:
        where = f"{value:g} in {count} of {rows} rows, away from all other values"
        if value in USUAL:
            remarks.append(f"{where}: if it means missing, add missingValues: [{value:g}] and required: false")
        else:
            codes.append(value)
            remarks.append(f"guess: {where}, taken for missing")
    return tuple(codes), remarks


def shortest(value: float) -> str:
    """All digits of a number, whole ones without a fraction."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _bounds(column: Column, codes: Iterable[float]) -> tuple[float, float]:
    """The file's least and greatest value with a margin, rounded outwards; what is never negative stays so."""
    known = [value for value in column.numbers if value not in set(codes)]
    least = min(known) if codes and not column.many_numbers else column.least
    greatest = max(known) if codes and not column.many_numbers else column.greatest
    margin = (greatest - least) * MARGIN or abs(greatest) * MARGIN or 1.0
    step = 10.0 ** math.floor(math.log10(margin))
    low, high = math.floor((least - margin) / step) * step, math.ceil((greatest + margin) / step) * step
    digits = max(0, -math.floor(math.log10(step)))
    return round(max(low, 0.0) if least >= 0 else low, digits), round(min(high, 0.0) if greatest <= 0 else high, digits)
