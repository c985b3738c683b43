"""The serving pods' own /metrics, where no Prometheus is configured."""

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from heart_api.kube.values import Manifest
from heart_api.names import Label, deployment_name
from heart_api.times import read
from heart_operator.manifests.common import SERVER
from heart_operator.traffic.counters import Series, Unreadable
from heart_operator.traffic.exposition import parse_exposition

TIMEOUT = 3.0
MAX_BYTES = 2 * 1024 * 1024
AT_ONCE = 16
"""Pods that are scraped concurrently."""


@dataclass(frozen=True, slots=True)
class Scraped:
    """What the pods answered, by their uid; `silent`: why others did not, by name."""

    readings: Mapping[str, dict[Series, float]]
    silent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """A running pod."""

    uid: str
    name: str
    version: str
    address: str
    started: datetime


async def scrape(session: aiohttp.ClientSession, targets: Sequence[Target], port: int) -> Scraped:
    """Scrape each pod once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(target: Target) -> dict[Series, float] | str:
        async with gate:
            try:
                return await read_counters(session, target, port)
            except Unreadable as error:
                return str(error)

    answers = await asyncio.gather(*map(ask, targets))
    pairs = list(zip(targets, answers, strict=True))
    return Scraped(
        {target.uid: answer for target, answer in pairs if isinstance(answer, dict)},
        {target.name: answer for target, answer in pairs if isinstance(answer, str)},
    )


async def read_counters(session: aiohttp.ClientSession, target: Target, port: int) -> dict[Series, float]:
    """What one pod counts; raises Unreadable. Parsed beside the event loop, which renews the Lease meanwhile."""
    body = await fetch_metrics(session, target.address, port)
    try:
        async with asyncio.timeout(TIMEOUT):
            return await asyncio.to_thread(lambda: parse_exposition(body.decode(errors="replace"), target.uid))
    except TimeoutError:
        raise Unreadable(f"its answer takes more than {TIMEOUT:.0f} s to read") from None


async def fetch_metrics(session: aiohttp.ClientSession, address: str, port: int) -> bytes:
    """The body; raises Unreadable."""
    host = f"[{address}]" if ":" in address else address
    try:
        answer = await fetch(session, f"http://{host}:{port}/metrics", {}, TIMEOUT, MAX_BYTES)
    except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
        raise Unreadable(f"it does not answer ({type(error).__name__})") from None
    if answer.status != 200:
        raise Unreadable(f"it answers {answer.status}")
    return answer.body


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


async def fetch(
    session: aiohttp.ClientSession, url: str, query: Mapping[str, str], patience: float, most: int
) -> Answer:
    """GET without following redirects, within `patience` seconds.

    Raises Unreadable for more than `most` bytes, and what aiohttp raises.
    """
    timeout = aiohttp.ClientTimeout(total=patience)
    async with session.get(url, params=query, timeout=timeout, allow_redirects=False) as response:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > most:
                raise Unreadable(f"it answers with more than {most} bytes")
        return Answer(response.status, bytes(body))


def targets_of(pods: Sequence[Manifest], model: str) -> list[Target]:
    """Pods of the model's own Deployments that run and have an address."""
    return [
        Target(
            uid=pod["metadata"]["uid"],
            name=pod["metadata"]["name"],
            version=pod["metadata"]["labels"][Label.MODEL_VERSION],
            address=str(ipaddress.ip_address(pod["status"]["podIP"])),
            started=read(started),
        )
        for pod in pods
        if is_ours(pod, model) and pod["status"].get("podIP") and (started := server_start(pod))
    ]


def is_ours(pod: Manifest, model: str) -> bool:
    """True if a ReplicaSet of the version's Deployment controls the pod: any user can set labels.

    An owner that does not exist is no way around: Kubernetes collects such a pod, and one of a running ReplicaSet
    counts as its replica.
    """
    meta = pod["metadata"]
    deployment = deployment_name(model, meta["labels"][Label.MODEL_VERSION])
    return any(
        owner.get("controller") and owner["kind"] == "ReplicaSet" and owner["name"].rpartition("-")[0] == deployment
        for owner in meta.get("ownerReferences") or ()
    )


def server_start(pod: Manifest) -> str | None:
    """When the running server began to count; None: it does not run."""
    for status in pod["status"].get("containerStatuses") or ():
        if status["name"] == SERVER and (running := status.get("state", {}).get("running")):
            started: str | None = running.get("startedAt")
            return started
    return None
