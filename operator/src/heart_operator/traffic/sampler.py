"""Responses of a model's versions since the last sample: from Prometheus, else from the pods themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import aiohttp

from heart_api.kube.kinds import POD, Kind
from heart_api.kube.values import Manifest
from heart_api.metrics import REQUESTS
from heart_api.names import Component, Label
from heart_operator.kube.errors import ApiError
from heart_operator.manifests.common import MANAGEMENT_PORT
from heart_operator.plan.observed import AnalysisSample
from heart_operator.traffic.counters import (
    Reading,
    Unreadable,
    answered,
    count_answers,
    count_arms,
    count_mirrored,
    count_outcomes,
    growth,
    merged,
    of_version,
)
from heart_operator.traffic.prometheus import known_until, read_counters, read_scrapes, seen_at, series_of
from heart_operator.traffic.scrape import Scraped, Target, scrape, targets_of


class Pods(Protocol):
    """Where pods are listed: heart_operator.kube.client.Cluster."""

    async def find(self, kind: Kind, namespace: str, selector: str) -> list[Manifest]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """Which answers to count."""

    namespace: str
    model: str
    stable: str
    """Version that serves."""
    candidate: str | None
    since: datetime
    """Time of the last sample; what this process counted later is not counted again."""

    @property
    def versions(self) -> list[str]:
        return [self.stable, *([self.candidate] if self.candidate else [])]


@dataclass(frozen=True, slots=True)
class Interval:
    """Counters at both ends of the interval. `before` None: unknown, so that counting begins at the end."""

    before: Reading | None
    after: Reading
    partial: str = ""


class MetricsReader:
    """Counts the responses of serving pods. Where pods are scraped directly, their last counters are kept in memory."""

    def __init__(self, cluster: Pods, port: int = MANAGEMENT_PORT) -> None:
        self._cluster = cluster
        self._port = port
        self._session: aiohttp.ClientSession | None = None
        self._asked: dict[tuple[str, str], datetime] = {}
        self._pods: dict[tuple[str, str], dict[str, Reading]] = {}

    async def sample(self, question: Question, prometheus_url: str | None, now: datetime) -> AnalysisSample | None:
        """Counts since the last sample (of this process, else since `question.since`).

        None: Prometheus has read nothing since. Whatever is wrong becomes the sample's `error`: nothing is raised.
        """
        key = (question.namespace, question.model)
        try:
            if prometheus_url:
                since = max(question.since, self._asked.get(key, question.since))
                interval = await self._recorded(question, prometheus_url, since, now)
            else:
                interval = await self._scraped(question)
            found = count(question, interval) if interval else None
        except Unreadable as error:
            return AnalysisSample(error=str(error))
        if found:
            self._asked[key] = now
        return found

    def forget(self, namespace: str, model: str) -> None:
        """The model is gone."""
        self._asked.pop((namespace, model), None)
        self._pods.pop((namespace, model), None)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _recorded(self, question: Question, url: str, since: datetime, now: datetime) -> Interval | None:
        """The sample by Prometheus; None until it has scraped every version again.

        Samples may be more frequent than scrapes, and each version is scraped at its own time: a sample in between
        would see the responses of one version alone, and so never both side by side.
        """
        about = question.namespace, question.model, question.versions
        scrapes = await read_scrapes(self._http(), url, series_of(*about, names=[REQUESTS]), now)
        if any(scrapes.get(version, now) <= seen_at(since) for version in question.versions):
            return None
        series = series_of(*about)
        after = await read_counters(self._http(), url, series, now)
        before = await read_counters(self._http(), url, known_until(series), since)
        return Interval(before if answered(of_version(before, question.stable)) else None, after)

    async def _scraped(self, question: Question) -> Interval:
        """By the pods themselves."""
        targets = await self._targets(question)
        scraped = await scrape(self._http(), targets, self._port)
        known = self._known(question, targets)
        for version in question.versions:
            check_answers(version, targets, scraped)
        before = merged(known.values()) if scraped.readings.keys() <= known.keys() else None
        known.update(scraped.readings)
        return Interval(before, merged(scraped.readings.values()), silence(targets, scraped))

    def _known(self, question: Question, targets: Sequence[Target]) -> dict[str, Reading]:
        """The last counters of each running pod, by uid; zero for a pod that started after the last sample."""
        key = (question.namespace, question.model)
        said = self._pods.get(key, {})
        young = {target.uid for target in targets if target.started >= question.since}
        self._pods[key] = {
            target.uid: said.get(target.uid, {}) for target in targets if target.uid in said or target.uid in young
        }
        return self._pods[key]

    async def _targets(self, question: Question) -> list[Target]:
        versions = ",".join(question.versions)
        selector = (
            f"{Label.MODEL}={question.model},{Label.COMPONENT}={Component.SERVING},"
            f"{Label.MODEL_VERSION} in ({versions})"
        )
        try:
            pods = await self._cluster.find(POD, question.namespace, selector)
            return targets_of(pods, question.model)
        except ApiError:
            raise Unreadable("the pods cannot be listed") from None

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        return self._session


def count(question: Question, interval: Interval) -> AnalysisSample:
    """Raises Unreadable when a version has no metrics."""
    for version in question.versions:
        if not answered(of_version(interval.after, version)):
            raise Unreadable(f"there are no metrics of version {version}; is it scraped?")
    if interval.before is None:
        return AnalysisSample(partial="counting begins with this interval")
    grown = growth(interval.before, interval.after)
    stable = of_version(grown, question.stable)
    if question.candidate is None:
        return AnalysisSample(count_answers(stable), partial=interval.partial)
    return AnalysisSample(
        count_answers(stable),
        count_answers(of_version(grown, question.candidate)),
        count_mirrored(stable, question.candidate),
        stable_outcomes=count_outcomes(of_version(interval.after, question.stable)),
        candidate_outcomes=count_outcomes(of_version(interval.after, question.candidate)),
        arms=count_arms(stable, question.candidate),
        partial=interval.partial,
    )


def check_answers(version: str, targets: Sequence[Target], scraped: Scraped) -> None:
    """At least one pod of the version must have answered."""
    pods = [target for target in targets if target.version == version]
    if not pods:
        raise Unreadable(f"version {version} has no running pod")
    if not any(target.uid in scraped.readings for target in pods):
        raise Unreadable(f"no pod of version {version} could be scraped: {scraped.silent[pods[0].name]}")


def silence(targets: Sequence[Target], scraped: Scraped) -> str:
    """`1 of 4 pods gave no metrics (heart-v7-abc: it does not answer)`."""
    if not scraped.silent:
        return ""
    name, why = next(iter(scraped.silent.items()))
    return f"{len(scraped.silent)} of {len(targets)} pods gave no metrics ({name}: {why})"
