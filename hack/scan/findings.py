"""What a scan found, and which of it was accepted by a person. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any


class ScanFailed(Exception):
    """The scan could not be made; the message is for people."""


@dataclass(frozen=True, order=True)
class Finding:
    """A package in an image that has a fixed version."""

    image: str
    package: str
    installed: str
    id: str
    """Of the advisory; `stable-security` where Debian's archive only says that there is an update."""
    fixed: str
    """The version that has the fix; empty if the advisory names none."""

    def __str__(self) -> str:
        fix = f"fixed in {self.fixed}" if self.fixed else "no fix yet"
        return f"{self.image}: {self.package} {self.installed}: {self.id} ({fix})"


@dataclass(frozen=True)
class Accepted:
    """A finding that somebody looked at and decided to live with, in all images, until a day."""

    package: str
    id: str
    reason: str
    until: date

    def covers(self, finding: Finding) -> bool:
        return (self.package, self.id) == (finding.package, finding.id)


@dataclass(frozen=True)
class Verdict:
    """`open`: fails the scan. `accepted`: with the reason. `stale`: entries of the list that nothing needs any more."""

    open: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    stale: tuple[Accepted, ...]


def parse_accepted(document: dict[str, Any]) -> tuple[Accepted, ...]:
    """The entries of accepted.toml. ValueError names the entry that lacks a field or a reason."""
    return tuple(map(_parse_entry, document.get("accepted", ())))


def _parse_entry(entry: dict[str, Any]) -> Accepted:
    try:
        found = Accepted(**entry)
    except TypeError as error:
        raise ValueError(f"accepted.toml: {entry}: give package, id, reason and until") from error
    if not found.reason.strip() or not isinstance(found.until, date):
        raise ValueError(f"accepted.toml: {found.package} {found.id}: give a reason, and until as a date")
    return found


def judge(findings: Iterable[Finding], accepted: Sequence[Accepted], today: date) -> Verdict:
    """An entry covers its finding up to and including its day."""
    standing, lived_with = [], []
    for finding in sorted(set(findings)):
        entry = next((entry for entry in accepted if entry.covers(finding) and today <= entry.until), None)
        if entry:
            lived_with.append((finding, entry))
        else:
            standing.append(finding)
    needed = {entry for _, entry in lived_with}
    return Verdict(tuple(standing), tuple(lived_with), tuple(entry for entry in accepted if entry not in needed))
