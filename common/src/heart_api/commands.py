"""User commands, passed to the operator as annotations: `kubectl heart promote`, `abort`, `rollback`, …

One slot: a newer command takes the place of an older one. The operator notes in `status.command` which one it has
handled, so that a command is carried out once, and a restart forgets none.
"""

import re
from typing import Literal, get_args

from heart_api.base import Frozen
from heart_api.names import Annotation

Action = Literal["promote", "promote-full", "abort", "rollback", "retry", "pause", "resume", "retrain"]
ABSENT = "-"
FORM = re.compile(
    r"(?P<action>[a-z-]{1,20}) (?P<version>[0-9]{1,9}|-) (?P<digest>sha256:[0-9a-f]{64}|-) (?P<id>[\w.:-]{1,63})"
)
MAX_REASON = 500


class Command(Frozen):
    """A command; `version` and `digest` are empty where the action needs none."""

    action: Action
    version: str = ""
    digest: str = ""
    id: str
    by: str = ""
    reason: str = ""

    def annotations(self) -> dict[str, str]:
        """What to write on the HeartModel."""
        value = f"{self.action} {self.version or ABSENT} {self.digest or ABSENT} {self.id}"
        return {Annotation.COMMAND: value, Annotation.COMMAND_BY: self.by, Annotation.COMMAND_REASON: self.reason}


def read_command(annotations: dict[str, str]) -> Command | None:
    """The newest command; None if there is none, or if it is not valid."""
    match = FORM.fullmatch(annotations.get(Annotation.COMMAND, ""))
    if match is None or match["action"] not in get_args(Action):
        return None
    return Command.model_validate(
        {
            "action": match["action"],
            "version": "" if match["version"] == ABSENT else match["version"],
            "digest": "" if match["digest"] == ABSENT else match["digest"],
            "id": match["id"],
            "by": annotations.get(Annotation.COMMAND_BY, ""),
            "reason": annotations.get(Annotation.COMMAND_REASON, "")[:MAX_REASON],
        }
    )
