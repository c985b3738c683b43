"""Reads of FederationSites: those that a model names, and one with everything that belongs to it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from heart_api.federating import Federation, Place, SiteSelector, place_of
from heart_api.federation import SiteCheckOutcome, SiteOutcome
from heart_api.heartmodel import HeartModel
from heart_api.kube.jobs import is_finished, is_waiting
from heart_api.kube.kinds import BY_NAME, FEDERATION_SITE, HEART_MODEL, JOB, SERVICE_ACCOUNT
from heart_api.kube.objects import InvalidSpec, owned, parse_model
from heart_api.kube.sites import parse_site
from heart_api.kube.values import Blocked, Manifest, SiteKey
from heart_api.names import Annotation, Label
from heart_api.profile import RuntimeProfile
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import NotFound, RequestRejected
from heart_operator.manifests.children import key_of
from heart_operator.observe.children import by_key, of_kind, own_pods, pods_of, read_blocked
from heart_operator.observe.jobs import stated
from heart_operator.observe.observation import Owner, Unreadable
from heart_operator.observe.own_jobs import MOST_FOREIGN, sort_jobs
from heart_operator.observe.site_jobs import is_check, parse_site_job, rebuild_for_site
from heart_operator.plan.federation.observed import SiteCheckJob, SiteObserved, SitePart
from heart_operator.plan.observed import ObservedSite

NETWORK_POLICY = BY_NAME["networking.k8s.io/v1", "NetworkPolicy"]
KINDS = (JOB, SERVICE_ACCOUNT, NETWORK_POLICY)
Watches = Callable[[str], bool]
"""Whether the operator watches a namespace."""


@dataclass(frozen=True, slots=True)
class SeenSite:
    """A FederationSite with everything that its plan is made from."""

    owner: Owner
    observed: SiteObserved


async def named_sites(cluster: Cluster, federation: Federation | None, watches: Watches) -> tuple[ObservedSite, ...]:
    """The sites that a model wants, whether they exist or not; what a selector finds."""
    if federation is None:
        return ()
    if federation.selector:
        return await selected_sites(cluster, federation.selector, watches)
    places = [place_of(reference) for reference in federation.sites or ()]
    return tuple(await asyncio.gather(*(read_site(cluster, place, watches) for place in places)))


async def read_site(cluster: Cluster, place: Place, watches: Watches) -> ObservedSite:
    if not watches(place.namespace):
        return ObservedSite(place, None, unwatched(place))
    try:
        return observed_site(await cluster.get(FEDERATION_SITE, *place))
    except NotFound:
        return ObservedSite(place, None)
    except RequestRejected as error:
        return ObservedSite(place, None, f"FederationSite {place} cannot be read: {error}")


async def selected_sites(cluster: Cluster, selector: SiteSelector, watches: Watches) -> tuple[ObservedSite, ...]:
    """In the namespaces that it names and the operator watches; labels are compared by the API server."""
    wanted = ",".join(f"{name}={value}" for name, value in sorted((selector.match_labels or {}).items()))
    found: list[ObservedSite] = []
    for namespace in filter(watches, selector.namespaces):
        try:
            found += map(observed_site, await cluster.find(FEDERATION_SITE, namespace, wanted))
        except (NotFound, RequestRejected):
            continue
    return tuple(sorted(found, key=lambda entry: entry.place))


def observed_site(raw: Manifest) -> ObservedSite:
    meta = raw["metadata"]
    place = Place(meta["namespace"], meta["name"])
    if "deletionTimestamp" in meta:
        return ObservedSite(place, None)
    try:
        return ObservedSite(place, parse_site(raw))
    except InvalidSpec as error:
        return ObservedSite(place, None, f"FederationSite {place} is from another version of HeartOps ({error})")


def unwatched(place: Place) -> str:
    return (
        f"the operator does not watch namespace {place.namespace} of FederationSite {place}; an administrator adds it"
        " to operator.namespaces"
    )


class SiteObserver:
    """Reads one FederationSite, the models it allows, and its own Jobs."""

    def __init__(
        self, cluster: Cluster, profiles: Callable[[], Mapping[str, RuntimeProfile]], watches: Watches
    ) -> None:
        self._cluster = cluster
        self._profiles = profiles
        self._watches = watches

    async def observe(self, key: SiteKey) -> SeenSite | Unreadable | None:
        """None: there is none, or it is being deleted and its Jobs with it. Raises what the client raises."""
        try:
            raw = await self._cluster.get(FEDERATION_SITE, key.namespace, key.name)
        except NotFound:
            return None
        if "deletionTimestamp" in raw["metadata"]:
            return None
        try:
            site = parse_site(raw)
        except InvalidSpec as error:
            return Unreadable(Owner(FEDERATION_SITE, raw, {}), str(error))
        models, labelled = await asyncio.gather(
            self._models(entry.model for entry in site.spec.allow), self._labelled(key, site.uid)
        )
        children, profile = by_key(labelled), self._profiles().get(site.spec.runtime)
        found = sort_jobs(of_kind(children, JOB.kind), raw, rebuild_for_site(site, models, profile))
        observed = SiteObserved(
            site=site,
            profile=profile,
            profiles=tuple(sorted(self._profiles())),
            models=models,
            checks=tuple([await self._check(job) for job in found.ours if is_check(job)]),
            parts=tuple([await self._part(job) for job in found.ours if not is_check(job)]),
            children=children,
            foreign_jobs=tuple(map(key_of, found.foreign))[:MOST_FOREIGN],
        )
        return SeenSite(Owner(FEDERATION_SITE, raw, children), observed)

    async def _models(self, references: Iterable[str]) -> dict[str, HeartModel]:
        """Those that exist, in namespaces that the operator watches."""
        names = [name for name in references if self._watches(place_of(name).namespace)]
        found = await asyncio.gather(*map(self._model, names))
        return {name: model for name, model in zip(names, found, strict=True) if model}

    async def _model(self, reference: str) -> HeartModel | None:
        try:
            raw = await self._cluster.get(HEART_MODEL, *place_of(reference))
            return None if "deletionTimestamp" in raw["metadata"] else parse_model(raw)
        except (NotFound, RequestRejected, InvalidSpec):
            return None

    async def _labelled(self, key: SiteKey, uid: str) -> list[Manifest]:
        """The living objects of the site, by our label and its uid."""
        selector = f"{Label.SITE}={key.name}"
        lists = await asyncio.gather(
            *(self._cluster.find(kind, key.namespace, selector, keep=lambda item: owned(item, uid)) for kind in KINDS)
        )
        return [item for items in lists for item in items]

    async def _check(self, job: Manifest) -> SiteCheckJob:
        return parse_site_job(job, await self._pods(job), SiteCheckOutcome, await self._blocked(job))

    async def _part(self, job: Manifest) -> SitePart:
        found = parse_site_job(job, await self._pods(job), SiteOutcome, await self._blocked(job))
        return SitePart(stated(job, Annotation.TRAINED_MODEL), found)

    async def _pods(self, job: Manifest) -> list[Manifest]:
        return own_pods(await pods_of(self._cluster, job), job) if is_finished(job) else []

    async def _blocked(self, job: Manifest) -> Blocked | None:
        return await read_blocked(self._cluster, job, await pods_of(self._cluster, job)) if is_waiting(job) else None
