"""The schedules of a model, read by their own look and by the HeartModel's."""

from heart_api.kube.kinds import RETRAIN_SCHEDULE
from heart_api.kube.objects import InvalidSpec
from heart_api.kube.schedules import model_of, parse_schedule
from heart_api.kube.values import Manifest
from heart_api.retrainschedule import RetrainSchedule
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import NotFound


async def find_schedules(cluster: Cluster, namespace: str, model: str) -> list[Manifest]:
    """The living schedules that name the model; none where the cluster does not know the kind (older CRDs)."""
    try:
        found = await cluster.find(RETRAIN_SCHEDULE, namespace, "")
    except NotFound:
        return []
    return [raw for raw in found if model_of(raw) == model and "deletionTimestamp" not in raw["metadata"]]


async def read_schedules(cluster: Cluster, namespace: str, model: str) -> tuple[RetrainSchedule, ...]:
    """Those that can be read; another one asks for nothing and has found nothing."""
    readable = []
    for raw in await find_schedules(cluster, namespace, model):
        try:
            readable.append(parse_schedule(raw))
        except InvalidSpec:
            continue
    return tuple(readable)
