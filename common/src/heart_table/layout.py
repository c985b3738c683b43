"""Layout of a text file: given by `dataset.csv`, else detected in its first lines; ambiguous files are rejected."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from heart_api.contract import Csv
from heart_table.encodings import decode_head
from heart_table.errors import UnreadableFile
from heart_table.kinds import HEAD_BYTES, reject_other_kinds, reject_other_texts

Row = list[str]

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "blanks"}
MOST_LINES = 500
CONSISTENT = 0.9
"""Share of lines with equally many cells from which on a separator is believed."""
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
TITLE_LINES = 20
"""Number of lines that are searched for a header."""


@dataclass(frozen=True)
class Layout:
    """`skip`: lines before the first row (the header, where there is one). `width`: cells of a row."""

    encoding: str
    separator: str
    decimal: str
    quote: str
    comment: str | None
    skip: int
    width: int
    rows: tuple[tuple[str, ...], ...]
    """The first rows, the header among them."""
    found: tuple[str, ...] = ()
    """Names of the fields of `dataset.csv` that were detected rather than given."""
    first_lines: int = 1
    """Lines of the first row, and of nothing above it: more than one where a name holds a line break."""
    blank_before_quote: bool = False
    """Whether blanks stand between a separator and a quote, so that the quote is one for lenient readers alone."""

    def __str__(self) -> str:
        """`CSV separated by semicolons, decimal comma, utf-8`"""
        parts = [f"CSV separated by {SEPARATORS.get(self.separator, repr(self.separator))}"]
        parts += ["decimal comma"] if self.decimal == "," else []
        parts += [f"quoted by {self.quote}"] if self.quote != '"' else []
        parts += [f"comment lines begin with {self.comment}"] if self.comment else []
        parts += [f"{self.skip} {'line' if self.skip == 1 else 'lines'} skipped"] if self.skip else []
        return ", ".join([*parts, self.encoding.removesuffix("-sig")])


@dataclass(frozen=True)
class Expected:
    """What the contract says of the file: names that its header must hold, or how many columns it has."""

    names: tuple[str, ...] = ()
    width: int = 0


def detect(head: bytes, whole: bool, given: Csv, expected: Expected) -> Layout:
    """`head`: the first bytes of the unpacked file, `whole`: all of it. Raises UnreadableFile."""
    reject_other_kinds(head)
    encoding, text = decode_head(head[:HEAD_BYTES], whole and len(head) <= HEAD_BYTES, given.encoding)
    reject_other_texts(text)
    lines = text.splitlines()
    if not whole or len(head) > HEAD_BYTES:
        lines = lines[:-1]
    return _Detection(given, expected, encoding).of(lines[: MOST_LINES + TITLE_LINES])


def split_lines(lines: Sequence[str], separator: str, quote: str) -> list[Row]:
    """Cells, stripped."""
    try:
        return [[cell.strip() for cell in row] for row in _reader(lines, separator, quote) if row]
    except csv.Error:
        return []


def split_rows(lines: Iterable[str], layout: Layout) -> Iterator[Row]:
    """Cells of each line, as they are written. Raises UnreadableFile."""
    try:
        yield from _reader(lines, layout.separator, layout.quote)
    except csv.Error:
        raise UnreadableFile(f"The file is not proper CSV (read as {layout}): is a quote missing?") from None


def _reader(lines: Iterable[str], separator: str, quote: str) -> Iterator[Row]:
    if separator == " ":
        lines = (re.sub(r"[ \t]+", " ", line.strip()) for line in lines)
    return csv.reader(lines, delimiter=separator, quotechar=quote, skipinitialspace=True)


def _first_lines(lines: Sequence[str], separator: str, quote: str) -> int:
    reader = csv.reader(lines, delimiter=separator, quotechar=quote)
    try:
        next(row for row in reader if row)
    except (StopIteration, csv.Error):
        return 1
    return reader.line_num


def _blank_before_quote(lines: Sequence[str], separator: str, quote: str) -> bool:
    try:
        rows = list(csv.reader(lines, delimiter=separator, quotechar=quote))
    except csv.Error:
        return False
    return any(cell[:1] == " " and cell.lstrip(" ").startswith(quote) for row in rows for cell in row)


class _Detection:
    """One file's first lines, step by step: preamble, comments, quotes, separator, decimal mark."""

    def __init__(self, given: Csv, expected: Expected, encoding: str) -> None:
        self.given, self.expected, self.encoding = given, expected, encoding
        self.found: list[str] = [] if given.encoding or encoding.startswith("utf-8") else ["encoding"]

    def of(self, lines: list[str]) -> Layout:
        skip, hint = self._preamble(lines)
        comment = self._comment(lines[skip:])
        kept = [(number, line) for number, line in enumerate(lines) if number >= skip and line.strip()]
        kept = [(number, line) for number, line in kept if not (comment and line.startswith(comment))]
        if not kept:
            raise UnreadableFile("The file is empty.")
        texts = [line for _, line in kept]
        quote = self._quote(texts)
        separator, rows = self._separator(texts, quote, hint)
        start = self._start(rows)
        skip = kept[start][0] if start else skip
        rows = rows[start:]
        return Layout(
            encoding=self.encoding,
            separator=separator,
            decimal=self._decimal(rows, separator),
            quote=quote,
            comment=comment,
            skip=skip,
            width=max(_width(rows), len(rows[0])),
            rows=tuple(tuple(row) for row in rows),
            found=tuple(self.found),
            first_lines=_first_lines(lines[skip:], separator, quote),
            blank_before_quote=_blank_before_quote(lines[skip:], separator, quote),
        )

    def _preamble(self, lines: list[str]) -> tuple[int, str | None]:
        """(lines to skip, separator that a `sep=` line names)"""
        skip = self.given.skip_rows or 0
        if self.given.skip_rows is None and lines and (named := re.fullmatch(r"sep=(.)", lines[0].strip(" \ufeff\r"))):
            self.found.append("separator")
            return 1, named[1]
        return skip, None

    def _comment(self, lines: list[str]) -> str | None:
        """`#` or `%`, where it begins the first lines and those are no header."""
        if self.given.comment or self.given.skip_rows is not None:
            return self.given.comment
        sign = lines[0][:1] if lines else ""
        if sign not in ("#", "%") or all(line.startswith(sign) for line in lines):
            return None
        head = [line for line in lines[:TITLE_LINES] if line.startswith(sign)]
        body = [line for line in lines if not line.startswith(sign) and line.strip()]
        counts = {Counter(line)[separator] for separator in ",;\t|" for line in body[-1:]} - {0}
        if any(head[-1].count(separator) in counts for separator in ",;\t|"):
            raise UnreadableFile(
                f"The file begins with {sign} and a line that has as many cells as a row: is it a header or a comment?"
                " Set dataset.csv.skipRows to the lines before the first row, and name the columns in dataset.columns."
            )
        self.found.append("comment")
        return sign

    def _quote(self, lines: list[str]) -> str:
        if self.given.quote:
            return self.given.quote
        text = "\n".join(lines)
        single = len(re.findall(r"(?:^|[,;\t|])\s*'[^'\n]*'\s*(?=$|[,;\t|])", text, re.M))
        if single > 1 and '"' not in text:
            self.found.append("quote")
            return "'"
        return '"'

    def _separator(self, lines: list[str], quote: str, hint: str | None) -> tuple[str, list[Row]]:
        named = self.given.separator or hint
        if named:
            return named, split_lines(lines, named, quote)
        tried = {separator: split_lines(lines, separator, quote) for separator in SEPARATORS}
        able = [separator for separator, rows in tried.items() if self._fits(rows)]
        if " " in able and len(able) > 1:
            able.remove(" ")
        if not able:
            return self._without_separator(tried)
        best = self._best(able, tried)
        if best != ",":
            self.found.append("separator")
        return best, tried[best]

    def _fits(self, rows: list[Row]) -> bool:
        names, width = self.expected.names, self.expected.width
        if names and any(set(names) <= set(row) for row in rows[:TITLE_LINES]):
            return _width(rows) > 1 or len(names) == 1
        if width:
            return _share(rows, width) >= CONSISTENT
        usual = _width(rows)
        return usual > 1 and _share(rows, usual) >= CONSISTENT and not names

    def _best(self, able: list[str], tried: dict[str, list[Row]]) -> str:
        scores = sorted(((_numeric(tried[separator]), separator) for separator in able), reverse=True)
        if len(scores) > 1 and scores[0][0] - scores[1][0] < 0.05:
            if "," in able and not any(cell for row in tried[","] for cell in row if set(cell) & set(able)):
                return ","
            names = " or ".join(SEPARATORS[separator] for _, separator in scores[:2])
            raise UnreadableFile(f"The cells can be separated by {names}: set dataset.csv.separator.")
        return scores[0][1]

    def _without_separator(self, tried: dict[str, list[Row]]) -> tuple[str, list[Row]]:
        """The layout detected from the lines alone, so that missing columns can be named."""
        shares = {
            separator: _share(rows, _width(rows)) for separator, rows in tried.items() if _width(rows) > 1 or not rows
        }
        likely = [separator for separator, share in shares.items() if share >= CONSISTENT]
        if len(likely) > 1 and " " in likely:
            likely.remove(" ")
        if not likely:
            return ",", tried[","]
        best = self._best(likely, tried) if len(likely) > 1 else likely[0]
        if best != ",":
            self.found.append("separator")
        return best, tried[best]

    def _start(self, rows: list[Row]) -> int:
        """Index of the header among the rows; lines above it (a title) are skipped where its names are known."""
        if self.given.skip_rows is not None or not rows:
            return 0
        names = set(self.expected.names)
        for index, row in enumerate(rows[:TITLE_LINES] if names else ()):
            if names <= set(row):
                if index:
                    self.found.append("skipRows")
                return index
        usual = _width(rows)
        first = next((index for index, row in enumerate(rows) if len(row) == usual), 0)
        if first and len(_stripped(rows[0])) < usual - 1 and usual > 2:
            raise UnreadableFile(
                f"The file begins with {first} {'line' if first == 1 else 'lines'} of another kind (a title?): its rows"
                f" have {usual} cells, its first line {len(rows[0])}. Set dataset.csv.skipRows to {first}."
            )
        return 0

    def _decimal(self, rows: list[Row], separator: str) -> str:
        if self.given.decimal:
            return self.given.decimal
        if separator == ",":
            return "."
        cells = [cell for row in rows for cell in row]
        commas = [cell for cell in cells if COMMA.fullmatch(cell)]
        if not commas:
            return "."
        if any(POINT.fullmatch(cell) for cell in cells) or all(THOUSANDS.fullmatch(cell) for cell in commas):
            raise UnreadableFile(
                "Some numbers have a comma: a decimal comma, or one between thousands? Set dataset.csv.decimal to ','"
                " if it is decimal; commas between thousands have to be taken out of the file."
            )
        self.found.append("decimal")
        return ","


def _stripped(row: Row) -> Row:
    """Without the empty cells at its end."""
    length = max((index + 1 for index, cell in enumerate(row) if cell), default=0)
    return row[:length]


def _width(rows: list[Row]) -> int:
    """The usual count of cells."""
    return Counter(len(row) for row in rows).most_common(1)[0][0] if rows else 0


def _share(rows: list[Row], width: int) -> float:
    """Of rows with that many cells, from the first of them on; empty cells at the end do not count."""
    rows = rows[next((index for index, row in enumerate(rows[:TITLE_LINES]) if len(row) == width), 0) :]
    return sum(len(row) == width or len(_stripped(row)) == width for row in rows) / len(rows) if rows else 0.0


def _numeric(rows: list[Row]) -> float:
    """Share of cells that are numbers, or empty."""
    cells = [cell for row in rows for cell in row]
    return sum(not cell or NUMBER.fullmatch(cell) is not None for cell in cells) / max(1, len(cells))
