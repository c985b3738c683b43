"""How an API server fails writes: each the first time, so that whoever tries again gets through."""

import asyncio
from collections.abc import Sequence

import aiohttp
from aiohttp import web

from tests.support.faults.proxy import Forward, status

Fault = str
BEFORE: dict[Fault, tuple[int, str]] = {
    "conflict": (409, "Conflict"),
    "too many requests": (429, "TooManyRequests"),
    "internal error": (500, "InternalError"),
}
FAULTS: tuple[Fault, ...] = (*BEFORE, "reset", "reset after it was done", "silence after it was done")


class Rejections:
    """Every other request for the same thing fails, in turns by each of the faults; `failed` counts them."""

    def __init__(self, faults: Sequence[Fault], silence: float) -> None:
        """`silence`: seconds, longer than the operator waits for an answer."""
        self._faults = faults
        self._silence = silence
        self._passes: set[str] = set()
        """What failed the last time."""
        self.failed: dict[Fault, int] = dict.fromkeys(faults, 0)

    async def __call__(self, request: web.Request, forward: Forward) -> web.StreamResponse:
        write = f"{request.method} {request.path}"
        if write in self._passes:
            self._passes.discard(write)
            return await forward()
        self._passes.add(write)
        fault = self._faults[sum(self.failed.values()) % len(self._faults)]
        self.failed[fault] += 1
        return await self._fail(fault, request, forward)

    async def _fail(self, fault: Fault, request: web.Request, forward: Forward) -> web.StreamResponse:
        if fault in BEFORE:
            return status(BEFORE[fault][0], f"by the test: {fault}", BEFORE[fault][1])
        if "done" in fault:
            await forward()
        if "silence" in fault:
            await asyncio.sleep(self._silence)
        if request.transport:
            request.transport.close()
        raise aiohttp.ClientConnectionError("by the test")
