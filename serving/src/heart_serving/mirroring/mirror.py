"""Shadow traffic: a share of the answered predictions is copied to a candidate, whose answers only get compared.

PredictionApp ──offer──► Mirror (which share, whereto) ──► Shadow (queue, connections) ──► the candidate
                   ▲ once a second
               MirrorFile
"""

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from heart_api.handover import MirrorTarget
from heart_serving.admission.request_body import Head
from heart_serving.metrics import ServingMetrics
from heart_serving.mirroring.config import OFF, MirrorFile
from heart_serving.predictionlog.proofs import Proofs
from heart_serving.protocols.base import Reply

if TYPE_CHECKING:
    from heart_serving.mirroring.client import Shadow

POLL_SECONDS = 1.0
GOLDEN_RATIO = 0.6180339887498949

logger = logging.getLogger("heart_serving")


class Sampler:
    """Takes a share of a sequence: exactly, but for two or so, and in step with no rhythm of the clients."""

    def __init__(self) -> None:
        self._phase = 0.0

    def take(self, percent: int) -> bool:
        # Multiples of the golden ratio fill the circle more evenly than those of any other number.
        self._phase = (self._phase + GOLDEN_RATIO) % 1
        return self._phase * 100 < percent


class Mirror:
    """Off until `run` finds something to do. Used on the event loop alone."""

    def __init__(
        self, version: str, metrics: ServingMetrics, proofs: Proofs, *, relative: bool, tls: Path | None = None
    ) -> None:
        """`version`: of this pod; `relative`: outputs are values (regression), compared by relative difference.

        `proofs`: mark copies as such. `tls`: folder of this pod's certificate.
        """
        self._mark = proofs.mark_copy
        self._tls = tls
        self._versioned = f"/versions/{version}/"
        self._metrics = metrics
        self._relative = relative
        self._target = OFF
        self._sampler = Sampler()
        self._shadow: Shadow | None = None

    @property
    def is_on(self) -> bool:
        return self._shadow is not None

    def offer(self, path: str, head: Head, parsed: bytes, answer: Reply, credential: bytes = b"") -> None:
        """To be called when the answer has been sent; never waits and never fails."""
        if self._shadow is not None and self._sampler.take(self._target.percent):
            # The candidate does not answer under our version's path.
            self._shadow.offer(path.replace(self._versioned, "/"), head, parsed, answer, credential)

    async def run(self, file: MirrorFile) -> None:
        """Mirror as the file says, and read it anew every POLL_SECONDS, until cancelled."""
        try:
            while True:
                await self._turn_to(await asyncio.to_thread(file.read))
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await self._close()

    async def _turn_to(self, target: MirrorTarget) -> None:
        if target == self._target:
            return
        if (target.url, target.version) != (self._target.url, self._target.version):
            await self._close()
            if target.percent:
                shadow = await asyncio.to_thread(load_shadow)
                counts = self._metrics.mirrored_to(target.version)
                try:
                    self._shadow = shadow(target.url, counts, self._mark, relative=self._relative, tls=self._tls)
                except (OSError, ValueError) as error:
                    logger.error("nothing is mirrored: this pod's certificate cannot tell the candidate's: %s", error)
        self._target = target
        logger.info("mirroring %d%% of the requests to version %s", target.percent, target.version or "(none)")

    async def _close(self) -> None:
        shadow, self._shadow, self._target = self._shadow, None, OFF
        if shadow is not None:
            await shadow.close()


def load_shadow() -> "type[Shadow]":
    """A pod without a candidate has no use for an HTTP client, and its memory counts."""
    from heart_serving.mirroring.client import Shadow  # noqa: PLC0415

    return Shadow
