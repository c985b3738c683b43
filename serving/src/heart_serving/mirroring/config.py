"""The mounted file that says what to mirror; the operator changes it while pods run."""

import logging
from pathlib import Path

from pydantic import ValidationError

from heart_api.handover import MirrorTarget

OFF = MirrorTarget()

logger = logging.getLogger("heart_serving")


class MirrorFile:
    """Reads the file anew each time: Kubernetes replaces it by moving a symlink."""

    def __init__(self, path: Path, version: str) -> None:
        self._path = path
        self._version = version
        self._problem: str | None = None

    def read(self) -> MirrorTarget:
        """OFF as well when the file is missing or malformed (logged once), or names this pod's own version."""
        try:
            target = MirrorTarget.model_validate_json(self._path.read_bytes())
        except OSError as error:
            target = self._off(f"cannot be read: {error.strerror}")
        except ValidationError as error:
            where = ", ".join(sorted({".".join(map(str, item["loc"])) or item["msg"] for item in error.errors()}))
            target = self._off(f"is malformed: {where}")
        else:
            self._problem = None
        return target if target.percent and target.version != self._version else OFF

    def _off(self, problem: str) -> MirrorTarget:
        if problem != self._problem:
            logger.warning("nothing is mirrored: %s %s", self._path, problem)
        self._problem = problem
        return OFF
