"""Watches that lie, stammer or fall silent: the operator catches up by itself, and does nothing twice."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest

from heart_operator.controllers import watches as handlers
from tests.support.apiserver.client import poll
from tests.support.apiserver.lifecycle import live
from tests.support.apiserver.world import World
from tests.support.faults.proxy import Lines, Proxy, gone
from tests.support.soak import SOAK

pytestmark = pytest.mark.api

NEVER = 86400.0
"""Seconds between two looks at everything: only the watches are left."""


async def superseded(lines: Lines) -> AsyncIterator[bytes]:
    """Half a second of events at a time, and of each object the newest only."""
    waiting: dict[str, bytes] = {}
    following = asyncio.ensure_future(anext(lines, None))
    while True:
        done, _ = await asyncio.wait({following}, timeout=0.5)
        if not done:
            for line in waiting.values():
                yield line
            waiting.clear()
        elif (line := following.result()) is None:
            return
        else:
            waiting[json.loads(line)["object"]["metadata"].get("uid", "")] = line
            following = asyncio.ensure_future(anext(lines, None))


async def doubled(lines: Lines) -> AsyncIterator[bytes]:
    """Every event twice."""
    async for line in lines:
        yield line
        yield line


async def too_old(lines: Lines) -> AsyncIterator[bytes]:
    """410 Gone after every third event."""
    for _ in range(3):
        if (line := await anext(lines, None)) is not None:
            yield line
    yield gone()


@pytest.mark.parametrize("change", [superseded, doubled, too_old], ids=lambda change: change.__name__)
def test_a_life_on_bad_watches_ends_well(proxied: World, proxy: Proxy, change: Callable[[Lines], Lines]) -> None:
    proxy.watches = change
    with proxied.start(resync_seconds=NEVER):
        live(proxied)
        proxied.settle()
    assert len(proxied.jobs()) == len(proxied.registry.versions[f"{proxied.namespace}.heart"]) == 2
    made = [write for write in proxied.writes() if write.startswith("create") and "events" not in write]
    assert len(made) == len(set(made)), "something was created twice"


def test_a_silent_watch_is_begun_again(proxied: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a firewall forgets a connection: nothing comes any more, and nobody says so."""
    if not SOAK:
        monkeypatch.setattr(handlers, "INACTIVITY_TIMEOUT", 3.0)
    silence = asyncio.Event()

    async def forgotten(lines: Lines) -> AsyncIterator[bytes]:
        begun_later = silence.is_set()
        async for line in lines:
            if begun_later or not silence.is_set():
                yield line

    proxy.watches = forgotten
    with proxied.start(resync_seconds=NEVER):
        proxied.create()
        proxied.wait_serving("1")
        proxied.settle()
        silence.set()
        proxied.edit({"serving": {"replicas": 1}})
        poll("the edit is carried out", lambda: proxied.deployments()["1"]["spec"]["replicas"] == 1, 90)
