"""What the canary could not see: a version that turns bad once it has all of the traffic."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.canaries import (
    CONNECTION_AGE,
    EVERY_SECOND,
    OLD,
    USUAL,
    artifact,
    brought_up,
    cohort,
    register,
)
from tests.e2e.kit import TRAINING
from tests.e2e.traffic import traffic
from tests.support.trainer.faulty_models import fails

pytestmark = pytest.mark.timeout(900)


def test_a_version_that_turns_bad_after_its_promotion_goes_back(
    namespace: str,
    proxy: str,
    mlflow_uri: str,
    images: dict[str, str],
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    """All at once, on rows that it answers; then other rows come."""
    manifest = cohort(namespace, "later", steps=[])
    later = brought_up(manifest, proxy)
    number = register(mlflow_uri, manifest, artifact(later.model, proxy), fails(EVERY_SECOND), tmp_path)
    with traffic(later.model, USUAL, images["serving"]) as load:
        later.model.patch(version=int(number))
        later.until_serving(number, TRAINING)
        load.wait_for_more()
    assert load.failures == []
    with traffic(later.model, USUAL + OLD, images["serving"]) as load:
        bad = time.time()
        entry = later.until_rejected(number, 120)
        went = later.until_serving("1", 60)
        load.wait_for_more(40)
    assert entry["reason"] == "RolledBack"
    assert load.latest[number] <= went + CONNECTION_AGE
    last = later.status["history"][-1]
    assert (last["version"], last["reason"]) == ("1", "RolledBack")
    measured(f"bad after its promotion: back {went - bad:.0f} s after the first bad request; {load.failed} failed")
