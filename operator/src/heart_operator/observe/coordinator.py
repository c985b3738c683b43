"""What the pod of a federated training says while it runs: whom sites have to trust, and how far they are."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from heart_api.federation import IDENTITY, PROGRESS_PORT, CoordinatorIdentity, Progress
from heart_api.heartmodel import HeartModel
from heart_api.kube.jobs import is_finished
from heart_api.kube.values import Manifest
from heart_api.names import Annotation
from heart_operator.kube.client import Cluster
from heart_operator.observe.children import own_pods, pods_of
from heart_operator.observe.jobs import stated
from heart_operator.traffic.counters import Unreadable
from heart_operator.traffic.scrape import fetch

PATIENCE = 2.0
MAX_BYTES = 64 * 1024
LEAST_AGE = 5.0
"""Seconds between two questions to one pod: each answer that differs is written to the status."""

M = TypeVar("M", bound=BaseModel)


class CoordinatorReader:
    """Asks the pods of running federated trainings. Raises nothing but what the API server's client raises."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float], port: int = PROGRESS_PORT) -> None:
        self._cluster = cluster
        self._clock = clock
        self._port = port
        self._session: aiohttp.ClientSession | None = None
        self._known: dict[str, tuple[float, Progress | None]] = {}

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def read(
        self, model: HeartModel, jobs: Iterable[Manifest]
    ) -> tuple[CoordinatorIdentity | None, Progress | None]:
        """Of the training that the status names, while its Job runs."""
        training = model.status.training
        if training is None or training.sites is None or training.phase != "Running":
            return None, None
        for job in jobs:
            if stated(job, Annotation.TRIGGER) == training.trigger and not is_finished(job):
                pods = own_pods(await pods_of(self._cluster, job), job)
                return identity_of(pods), await self._progress(pods)
        return None, None

    async def _progress(self, pods: list[Manifest]) -> Progress | None:
        """The answer of the newest pod that runs; the last one again if that is recent or none comes."""
        living = [pod for pod in newest_first(pods) if (pod.get("status") or {}).get("phase") == "Running"]
        address = next((ip for pod in living if (ip := pod["status"].get("podIP"))), None)
        if address is None:
            return None
        uid, now = living[0]["metadata"]["uid"], self._clock()
        asked, known = self._known.get(uid, (float("-inf"), None))
        if now - asked >= LEAST_AGE:
            known = await self._ask(str(ipaddress.ip_address(address))) or known
            self._known = {uid: entry for uid, entry in self._known.items() if now - entry[0] < 3600}
            self._known[uid] = now, known
        return known

    async def _ask(self, address: str) -> Progress | None:
        self._session = self._session or aiohttp.ClientSession()
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{self._port}/progress"
        try:
            answer = await fetch(self._session, url, {}, PATIENCE, MAX_BYTES)
        except (aiohttp.ClientError, OSError, Unreadable):
            return None
        return parsed(answer.body, Progress) if answer.status == 200 else None


def identity_of(pods: Iterable[Manifest]) -> CoordinatorIdentity | None:
    """From the termination message of the container that made it, in the newest pod that has one."""
    for pod in newest_first(pods):
        for status in (pod.get("status") or {}).get("initContainerStatuses") or ():
            end = (status.get("state") or {}).get("terminated") or {}
            if status["name"] == IDENTITY and (found := parsed(end.get("message", ""), CoordinatorIdentity)):
                return found
    return None


def newest_first(pods: Iterable[Manifest]) -> list[Manifest]:
    return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)


def parsed(text: str | bytes, kind: type[M]) -> M | None:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return None
