"""The operator is killed at its writes: the model's life ends as it would have, and nothing is done twice."""

from collections import Counter
from typing import Any

import pytest

from heart_api.kube.kinds import JOB
from tests.support.apiserver.lifecycle import delete, live, picture
from tests.support.apiserver.world import World
from tests.support.faults.crashes import Lives
from tests.support.soak import SOAK

pytestmark = pytest.mark.api

LONG = 300
"""Seconds for a stage: each of its writes costs two starts of an operator."""


@pytest.mark.parametrize("every", (1, 2, 3, 5) if SOAK else (1,))
def test_whichever_write_it_dies_at_the_end_is_the_same(
    world: World, every: int, reference: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lives(world, every, monkeypatch) as lives:
        live(world, LONG)
    cuts = Counter(cut.partition(" ")[0] for cut in lives.fuse.cuts)
    print(f"every {every}. write: cut {cuts['before']} times before, {cuts['after']} times after")
    assert min(cuts["before"], cuts["after"]) >= 3, "it was hardly disturbed"
    with world.start():
        world.settle()
        assert picture(world) == reference
    assert len(world.jobs()) == len(world.registry.versions[f"{world.namespace}.heart"]) == 2, "a training ran twice"
    made = [write for write in world.writes() if write.startswith(f"create {JOB.plural}")]
    assert len(made) == len(world.jobs())
    with Lives(world, every, monkeypatch):
        delete(world, LONG)
