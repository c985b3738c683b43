"""Which column of a file is which: by its header, or by the names that `dataset.columns` gives."""

import difflib
import json
import unicodedata
from dataclasses import dataclass

from heart_api.contract import Feature, Target
from heart_table.layout import NUMBER, Layout
from heart_trainer.data.cells import encode
from heart_trainer.data.columns import text_column
from heart_trainer.data.contract import Contract
from heart_trainer.errors import ColumnsMissing, DataInvalid

SHOWN_NAMES = 40


@dataclass(frozen=True)
class Header:
    """Names of a file's columns, in order. `lines`: how many of its first rows are no data (0 or 1)."""

    names: tuple[str, ...]
    lines: int = 0
    notes: tuple[str, ...] = ()


def name_columns(layout: Layout, contract: Contract) -> Header:
    """Return the names of the file's columns, and whether its first line is a header. Raises DataInvalid."""
    names = contract.dataset.columns
    first = tuple(same_form(cell) for cell in layout.rows[0])
    if names is None:
        _reject_shifted(layout)
        return Header(first, 1)
    _check_width(layout, names)
    replaced = contract.dataset.header
    if replaced is None:
        replaced = _is_header(layout, contract)
    if not replaced:
        return Header(tuple(map(same_form, names)))
    _reject_other_order(first, names)
    return Header(tuple(map(same_form, names)), 1, ("dataset.columns in place of the file's header",))


def find_columns(header: Header, contract: Contract) -> dict[str, int]:
    """Return the place of each of the contract's columns in the file. Raises DataInvalid for one that is not there, or
    is there twice.
    """
    wanted = {field.name: same_form(field.file_column) for field in contract.fields}
    twice = sorted({name for name in wanted.values() if header.names.count(name) > 1})
    if twice:
        raise DataInvalid(
            f"The file has more than one column called {', '.join(twice)}: give each a name of its own in"
            " dataset.columns."
        )
    absent = [name for name in dict.fromkeys(wanted.values()) if name not in header.names]
    if absent:
        raise ColumnsMissing(_absent(absent, header), tuple(absent))
    return {name: header.names.index(column) for name, column in wanted.items()}


def same_form(name: str) -> str:
    """Return one form for texts that look alike: composed characters, plain blanks, none at the ends."""
    return unicodedata.normalize("NFC", name).replace("\u00a0", " ").strip()


def _check_width(layout: Layout, names: tuple[str, ...]) -> None:
    surplus = [cell for row in layout.rows for cell in row[len(names) :]]
    if layout.width < len(names) or any(surplus):
        raise DataInvalid(
            f"The file has {layout.width} columns, dataset.columns names {len(names)} (read as {layout})."
        )


def _reject_shifted(layout: Layout) -> None:
    """R writes row names without a name for their column: every name would be read from its neighbour's."""
    first = len(layout.rows[0])
    if layout.width > first and any(cell for row in layout.rows[1:] for cell in row[first:]):
        raise DataInvalid(
            f"The header has {first} names, rows have {layout.width} cells (row numbers in front, as R writes them?): "
            "set dataset.csv.skipRows to leave the header out, and name every column in dataset.columns."
        )


def _is_header(layout: Layout, contract: Contract) -> bool:
    """Whether no cell of the first line fits the contract, while the next line does."""
    if len(layout.rows) == 1:
        return False
    judged = [field for field in contract.fields if isinstance(field, Feature) or field.positive_above is not None]
    first, second = (any(_fits(layout, line, field, contract) for field in judged) for line in (0, 1))
    return second and not first


def _fits(layout: Layout, line: int, field: Feature | Target, contract: Contract) -> bool:
    """Whether a cell is of its field's type, or missing."""
    row, place = layout.rows[line], (contract.dataset.columns or ()).index(field.file_column)
    cell = row[place] if place < len(row) else ""
    column = text_column([cell], layout.decimal)
    if isinstance(field, Target):
        return bool(column.numbers.notna()[0])
    missing = {"", *contract.dataset.missing_values, *field.missing_values}
    return cell in missing or bool(encode(column, field).notna()[0])


def _reject_other_order(first: tuple[str, ...], names: tuple[str, ...]) -> None:
    for place, name in enumerate(names):
        if name in first and first.index(name) != place:
            raise DataInvalid(
                f"dataset.columns has {name} at place {place + 1}, the file's header has it at place"
                f" {first.index(name) + 1}: leave dataset.columns out, and name a column in features[].column where its"
                " name differs."
            )


def _absent(absent: list[str], header: Header) -> str:
    """Names of the columns that are there are shown unless they look like values of a row."""
    begin = f"The file has no column called {', '.join(absent)}."
    if header.lines and sum(NUMBER.fullmatch(name) is not None for name in header.names) * 2 >= len(header.names):
        return f"{begin} Its first line looks like a row, not like a header: name its columns in dataset.columns."
    if separator := _other_separator(absent, header.names):
        return f"{begin} Its names are separated by {separator}: set dataset.csv.separator: {separator}."
    near = {name: _near(name, header.names) for name in absent}
    meant = "".join(f' Is {name} the column {close}? Set column: "{close}".' for name, close in near.items() if close)
    shown = ", ".join(name for name in header.names[:SHOWN_NAMES] if name)
    return f"{begin}{meant} It has: {shown}{' …' if len(header.names) > SHOWN_NAMES else ''}."


def _other_separator(absent: list[str], names: tuple[str, ...]) -> str:
    """In quotes, the character that stands between the missing names in a single name; empty where there is none."""
    for name in names:
        for character in sorted({*name} - {*"".join(absent)}):
            if {part.strip(" \"'") for part in name.split(character)}.issuperset(absent) and len(absent) > 1:
                return json.dumps(character)
    return ""


def _near(name: str, names: tuple[str, ...]) -> str:
    by_form = {_letters(each): each for each in reversed(names) if each}
    found = difflib.get_close_matches(_letters(name), by_form, 1, 0.85)
    return by_form[found[0]] if found else ""


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
