"""What a check found."""

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "note", "unknown", "problem"]
"""note: an optional part is missing; unknown: the user may not read it; problem: something does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is what to do, mostly a command; empty if nothing has to be done."""

    level: Level
    area: str
    message: str
    fix: str = ""

    def dump(self) -> dict[str, str]:
        return asdict(self)


def has_problems(findings: list[Finding]) -> bool:
    return any(finding.level == "problem" for finding in findings)
