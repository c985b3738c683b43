"""Bytes to text: UTF-8 and what a byte order mark names; any other encoding has to be given."""

import codecs

from heart_table.errors import UnreadableFile

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WIDE = (
    ("utf-32-le", ((2, 4), (3, 4), (1, 4))),
    ("utf-32-be", ((0, 4), (1, 4), (2, 4))),
    ("utf-16-le", ((1, 2),)),
    ("utf-16-be", ((0, 2),)),
)
"""Encodings without a mark, and where their bytes are zero in most texts: (start, step)."""
MOST = 0.75
"""Share of zeros in these places that shows the encoding."""


def decode_head(head: bytes, whole: bool, given: str | None) -> tuple[str, str]:
    """(encoding, text) of a file's first bytes; a character that the end cuts is left out.

    Raises UnreadableFile.
    """
    encoding = known(given) if given else _found(head)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return encoding, decoder.decode(head, final=whole)
    except UnicodeDecodeError as error:
        raise UnreadableFile(not_text(encoding, head[: error.start].count(b"\n") + 1, given)) from None


def known(name: str) -> str:
    """Raises UnreadableFile for an encoding of bytes to text that there is not."""
    try:
        found = codecs.lookup(name)
        "a".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, TypeError, ValueError):
        raise UnreadableFile(
            f"dataset.csv.encoding: there is no {name}; use utf-8, utf-16, latin-1 or cp1252, for example."
        ) from None
    # A byte order mark is no part of the first column's name.
    return "utf-8-sig" if found.name == "utf-8" else found.name


def not_text(encoding: str, line: int, given: str | None) -> str:
    name = encoding.removesuffix("-sig").upper()
    if given:
        return f"The file is not {name} (line {line}): dataset.csv.encoding is wrong."
    return (
        f"The file is not {name} text (line {line}): set dataset.csv.encoding, cp1252 or latin-1 for example, or save"
        " it as UTF-8."
    )


def _found(head: bytes) -> str:
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        for encoding, high in WIDE:
            zeros = [head[start:256:step].count(0) for start, step in high]
            if sum(zeros) > MOST * sum(len(head[start:256:step]) for start, step in high):
                return encoding
        raise UnreadableFile("The file is not text: it holds zero bytes. Is dataset.format right?")
    return "utf-8-sig"
