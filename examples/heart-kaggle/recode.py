"""UCI's processed.cleveland.data → the coding of Kaggle's heart.csv: `python recode.py < processed.cleveland.data`.

The coding was read off the rows that both files have: the first patient is 1, 2, 3, 6 there (cp, restecg, slope, thal)
and 3, 0, 0, 1 here. Missing values (`?`) become ca 4 and thal 0, as in that file.
"""

import csv
import sys
from collections.abc import Iterable, Iterator

COLUMNS = [
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
    "target",
]
CODES = {
    "cp": {"1": "3", "2": "1", "3": "2", "4": "0"},
    "restecg": {"0": "1", "1": "2", "2": "0"},
    "slope": {"1": "2", "2": "1", "3": "0"},
    "ca": {"?": "4"},
    "thal": {"?": "0", "6": "1", "3": "2", "7": "3"},
    "target": {"0": "1", "1": "0", "2": "0", "3": "0", "4": "0"},
}


def recode(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Rows of fourteen cells in the order of COLUMNS (the last one is UCI's num)."""
    for row in rows:
        if row:
            cells = [cell.strip().removesuffix(".0") for cell in row]
            yield [CODES.get(name, {}).get(cell, cell) for name, cell in zip(COLUMNS, cells, strict=True)]


if __name__ == "__main__":
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(recode(csv.reader(sys.stdin)))
