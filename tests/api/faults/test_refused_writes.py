"""Each write fails once before it works, or works and nobody hears of it: the model's life ends as it would have."""

from typing import Any

import pytest

from heart_api.kube.kinds import JOB
from heart_operator.controllers import workqueue as schedule
from heart_operator.kube.client import Cluster
from tests.support.apiserver.lifecycle import live, picture
from tests.support.apiserver.world import World
from tests.support.faults.failing_writes import FAULTS, Rejections
from tests.support.faults.proxy import Proxy
from tests.support.soak import SOAK

pytestmark = pytest.mark.api

PATIENCE = 1.0
"""Seconds for one request, here."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write fails here, so that the waiting between two attempts would add up to hours."""
    monkeypatch.setattr(schedule, "FIRST_BACKOFF", 0.05)
    monkeypatch.setattr(schedule, "LONGEST_BACKOFF", 0.2)
    monkeypatch.setattr(Cluster.__init__, "__defaults__", (PATIENCE,))


@pytest.mark.parametrize("faults", [(fault,) for fault in FAULTS] if SOAK else [FAULTS], ids=" and ".join)
def test_however_a_write_fails_the_end_is_the_same(
    proxied: World, proxy: Proxy, faults: tuple[str, ...], reference: dict[str, Any]
) -> None:
    proxy.writes = rejections = Rejections(faults, silence=PATIENCE + 1)
    with proxied.start():
        live(proxied, 120)
        proxied.settle(quiet=3 * PATIENCE + 2)  # two writes in a row may be met with silence
        assert picture(proxied) == reference
    print(rejections.failed)
    assert min(rejections.failed.values()) >= 3, "hardly a write failed"
    assert len(proxied.registry.versions[f"{proxied.namespace}.heart"]) == 2, "a training ran twice"
    made = [write for write in proxied.writes() if write.startswith(f"create {JOB.plural}")]
    assert len(set(made)) == len(proxied.jobs()) == 2
