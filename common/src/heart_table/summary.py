"""What a column holds, in bounded memory: counts, bounds and a few distinct values, never rows."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from heart_table.layout import NUMBER, Row
from heart_table.sentinels import CODES, find_sentinels

MOST_TEXTS = 256
"""Distinct texts that are kept: from more on, a column is no category."""
MOST_NUMBERS = 4096
"""Distinct numbers that are kept, for sentinels and codes."""
MISSING_TEXTS = frozenset({"?", "na", "n/a", "#n/a", "nan", "null", "nil", ".", "-", "--", "missing", "<na>"})
FEW_OTHERS = 3
"""Texts in a column of numbers that can be missing values."""


@dataclass
class Column:
    """`text_counts`: non-numeric cells, `numbers`: numeric cells, each with its count. Empty cells are `blank`."""

    name: str
    decimal: str = "."
    blank: int = 0
    text_counts: Counter[str] = field(default_factory=Counter)
    numbers: Counter[float] = field(default_factory=Counter)
    numeric: int = 0
    texts: int = 0
    least: float = math.inf
    greatest: float = -math.inf
    whole: bool = True
    many_texts: bool = False
    many_numbers: bool = False

    def add(self, cell: str) -> None:
        if not cell:
            self.blank += 1
        elif NUMBER.fullmatch(cell) and (self.decimal == "," or "," not in cell):
            self._add_number(float(cell.replace(",", ".")))
        else:
            self._add_word(cell)

    def _add_number(self, value: float) -> None:
        self.numeric += 1
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)
        self.whole = self.whole and value.is_integer()
        if value in self.numbers or value in CODES or len(self.numbers) < MOST_NUMBERS:
            self.numbers[value] += 1
        else:
            self.many_numbers = True

    def _add_word(self, cell: str) -> None:
        self.texts += 1
        if cell in self.text_counts or len(self.text_counts) <= MOST_TEXTS:
            self.text_counts[cell] += 1
        else:
            self.many_texts = True

    @property
    def is_numeric(self) -> bool:
        """Numbers, but for a few texts that mean a missing value."""
        others = [word for word in self.text_counts if word.lower() not in MISSING_TEXTS]
        return bool(self.numeric) and not self.many_texts and (not others or self._few(others))

    def _few(self, others: list[str]) -> bool:
        return len(others) <= FEW_OTHERS and self.numeric > self.texts and len(self.numbers) > MOST_CODES

    @property
    def missing_texts(self) -> list[str]:
        """Texts that mean a missing value."""
        return [word for word in self.text_counts if self.is_numeric or word.lower() in MISSING_TEXTS]

    @property
    def categories(self) -> list[str]:
        """Texts that are values."""
        return sorted(word for word in self.text_counts if word not in self.missing_texts)

    @property
    def missing(self) -> int:
        return self.blank + sum(self.text_counts[word] for word in self.missing_texts)

    @property
    def sentinels(self) -> list[tuple[float, int]]:
        """Numbers that may stand for a missing value, with their rows."""
        values = sorted(self.numbers)
        return find_sentinels(values, [self.numbers[value] for value in values])


MOST_CODES = 6
"""Distinct whole numbers up to which a column is taken for codes rather than for counts."""


def summarise(names: Iterable[str], rows: Iterable[Row], decimal: str) -> tuple[list[Column], int]:
    """(a summary of each column, rows). A row with fewer cells counts as blank in the rest."""
    columns = [Column(name, decimal) for name in names]
    count = 0
    for row in rows:
        count += 1
        for place, column in enumerate(columns):
            column.add(row[place] if place < len(row) else "")
    return columns, count
