"""Texts that a person would read as numbers or dates, and what to do in the file so that a model can use them."""

import re
from collections.abc import Iterable

GROUPED = re.compile(
    r"[+-]?\d{1,3}(?:(?:,\d{3})+(?:\.\d+)?|(?:\.\d{3})+(?:,\d+)?|(?:[ '\u00a0\u202f]\d{3})+(?:[.,]\d+)?)"
)
PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?")
WITH_UNIT = re.compile(r"(?P<before>[^\d\s+-]{0,3})\s?[+-]?\d[\d.,]*\s?(?P<after>[^\d\s.,:/-]{0,6})")
MOST_UNITS = 3
"""More different letters around numbers are no units: codes of products, tickets, rooms."""
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = rf"\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}|(?:\d{{1,2}}[-. ]+)?{_MONTH}[-., ]+(?:\d{{1,2}}[., ]+)?\d{{2,4}}"
DATE = re.compile(rf"(?:{_DATE})(?:[T ].*)?", re.IGNORECASE)
TIME = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s?[AaPp][Mm])?")


def reading_of(texts: Iterable[str]) -> str:
    """What all of the texts are, and the way out; empty where they are of no such kind, or of several."""
    found = [text.strip() for text in texts]
    if not found:
        return ""
    if all(DATE.fullmatch(text) for text in found):
        return "it holds dates: write what matters about them as numbers (days since, month) to use it"
    if all(TIME.fullmatch(text) for text in found):
        return "it holds times of day: write them as numbers (minutes since midnight) to use it"
    if all(GROUPED.fullmatch(text) or PLAIN.fullmatch(text) for text in found):
        return "it holds numbers with thousands separators: write them without (12345) to use it"
    if units := _units(found):
        return f"it holds numbers with {' or '.join(units)}: write the numbers alone to use it"
    return ""


def _units(texts: Iterable[str]) -> tuple[str, ...]:
    """The few signs that stand around numbers; empty where the texts are something else."""
    units: set[str] = set()
    for text in texts:
        match = WITH_UNIT.fullmatch(text)
        unit = match and (match["before"] or match["after"])
        if not unit or len(units := units | {unit}) > MOST_UNITS:
            return ()
    return tuple(sorted(units))
