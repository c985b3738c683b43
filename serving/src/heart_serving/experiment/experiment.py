"""An A/B experiment, as the stable version's pods carry it out: some users' requests go to the candidate.

A user stays in one group by whatever way the requests come, because every way ends at these pods. Requests without an
identity are answered here and count for neither group.
"""

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from heart_api.handover import ExperimentTarget
from heart_serving.admission.request_body import Head
from heart_serving.experiment.assignment import Arm, Assignment, Headers
from heart_serving.protocols.base import Reply

if TYPE_CHECKING:
    from heart_serving.experiment.forwarding import Forwarder

POLL_SECONDS = 1.0
MARK = ".ab"
"""End of the ids of requests that this pod answers for the stable version's group: outcomes find it by them."""
UNREACHABLE = 503
"""How a request counts for the candidate that did not answer; its user gets an answer from here."""

logger = logging.getLogger("heart_serving")


class Experiment:
    """Off until `run` finds one. Used on the event loop alone."""

    def __init__(self, version: str, tls: Path | None = None) -> None:
        """`version`: of this pod. `tls`: folder of its certificate."""
        self._version = version
        self._versioned = f"/versions/{version}/"
        self._tls = tls
        self._assignment: Assignment | None = None
        self._forwarder: Forwarder | None = None
        self.target: ExperimentTarget | None = None

    @property
    def is_on(self) -> bool:
        return self._assignment is not None

    def arm_of(self, path: str, headers: Headers) -> Arm | None:
        """The group of the request's user. Who names a version gets it, and belongs to no group."""
        if self._assignment is None or self._versioned in path:
            return None
        return self._assignment.arm_of(headers)

    async def ask(self, path: str, headers: Headers, body: bytes) -> Reply | None:
        """The candidate's answer; None: there is none, and this pod has to answer."""
        from heart_serving.experiment.forwarding import Unreachable  # noqa: PLC0415  loaded with the forwarder

        if self._forwarder is None:
            return None
        try:
            return await self._forwarder.ask(path, headers, body)
        except Unreachable:
            return None

    async def run(self, file: Path) -> None:
        """Follow the file until cancelled."""
        reader = ExperimentFile(file, self._version)
        try:
            while True:
                await self.turn_to(await asyncio.to_thread(reader.read))
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await self.turn_to(None)

    async def turn_to(self, target: ExperimentTarget | None) -> None:
        if target == self.target:
            return
        before, self._forwarder, self._assignment, self.target = self._forwarder, None, None, target
        if target is not None:
            await self._begin(target)
        if before is not None:
            await before.close()
        logger.info("experiment with version %s", target.version if target else "(none)")

    async def _begin(self, target: ExperimentTarget) -> None:
        # A pod without an experiment has no use for an HTTP client, and its memory counts.
        forwarder = await asyncio.to_thread(load_forwarder)
        try:
            self._forwarder = forwarder(target.url, self._tls)
        except (OSError, ValueError) as error:
            logger.error("there is no experiment: this pod's certificate cannot tell the candidate's: %s", error)
        else:
            self._assignment = Assignment(target)


def load_forwarder() -> "type[Forwarder]":
    from heart_serving.experiment.forwarding import Forwarder  # noqa: PLC0415

    return Forwarder


def marked(head: Head) -> Head:
    """With an id that tells that the request counts for the stable version's group."""
    return head._replace(request_id=head.request_id + MARK)


class ExperimentFile:
    """Reads the mounted file anew each time; Kubernetes removes it when the experiment ends."""

    def __init__(self, path: Path, version: str) -> None:
        self._path = path
        self._version = version
        self._problem = ""

    def read(self) -> ExperimentTarget | None:
        """None as well when the file is malformed (logged once), or names this pod's own version."""
        try:
            target = ExperimentTarget.model_validate_json(self._path.read_bytes())
        except OSError:
            return None
        except ValidationError as error:
            where = ", ".join(sorted({".".join(map(str, item["loc"])) or item["msg"] for item in error.errors()}))
            if where != self._problem:
                logger.warning("there is no experiment: %s is malformed: %s", self._path, where)
            self._problem = where
            return None
        return target if target.version != self._version else None
