"""Which schedules belong to a model."""

from typing import Any

from heart_api.kube.kinds import RETRAIN_SCHEDULE, Kind
from heart_api.kube.values import ModelKey
from heart_operator.kube.errors import NotFound
from heart_operator.observe.children import find_schedules


def schedule(name: str, model: str = "heart", **meta: Any) -> dict[str, Any]:
    about = {"namespace": "clinic", "name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": about | meta, "spec": {"modelName": model, "schedule": "0 3 * * *"}}


class Cluster:
    """The API server's schedules; None: it does not know the kind."""

    def __init__(self, *schedules: dict[str, Any] | None) -> None:
        self.schedules = schedules

    async def find(self, kind: Kind, namespace: str, selector: str) -> list[dict[str, Any]]:
        assert (kind, namespace) == (RETRAIN_SCHEDULE, "clinic")
        if None in self.schedules:
            raise NotFound("retrainschedules")
        return [found for found in self.schedules if found]


async def names(*schedules: dict[str, Any] | None) -> list[str]:
    cluster: Any = Cluster(*schedules)
    return [found["metadata"]["name"] for found in await find_schedules(cluster, ModelKey("clinic", "heart"))]


async def test_those_that_name_the_model() -> None:
    assert await names(schedule("nightly"), schedule("other", "lungs"), schedule("weekly")) == ["nightly", "weekly"]


async def test_one_that_is_being_deleted_has_no_say() -> None:
    assert await names(schedule("going", deletionTimestamp="2026-01-02T00:00:00Z")) == []


async def test_a_cluster_with_older_crds_has_none() -> None:
    assert await names(None) == []
