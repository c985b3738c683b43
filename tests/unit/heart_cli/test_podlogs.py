"""Which pods `kubectl heart logs --training` reads."""

from typing import Any

import pytest

from heart_api.heartmodel import TrainingStatus
from heart_api.names import Label
from heart_cli.errors import Failure
from heart_cli.podlogs import training_pods

JOB = TrainingStatus(job="heart-train-1", trigger="t", phase="Failed")


def pod(name: str, created: str, index: str | None = None) -> dict[str, Any]:
    labels = {Label.POD_INDEX: index} if index is not None else {}
    return {"metadata": {"name": name, "creationTimestamp": created, "labels": labels}}


def test_of_one_pod_after_the_other_the_newest() -> None:
    assert training_pods([pod("a", "2026-01-01T00:00:00Z"), pod("b", "2026-01-01T00:01:00Z")], JOB) == ["b"]


def test_of_several_workers_all_of_them_by_their_number() -> None:
    found = [pod(f"w{index}", "2026-01-01T00:00:00Z", str(index)) for index in (10, 1, 0)]
    assert training_pods(found, JOB) == ["w0", "w1", "w10"]


def test_where_no_pod_is_left_it_says_so() -> None:
    with pytest.raises(Failure, match="no longer exist"):
        training_pods([], JOB)
