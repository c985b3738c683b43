"""One replica of the operator: election → watches, workers, resync; and the order in which all of it stops.

Whatever ends first ends the process: a signal, a lost Lease, or a part that failed. Then no new work is begun, running
reconciles end, the Lease is released so that a standby replica takes over at once, and the watches close.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import kopf
from kubernetes.aio import client

from heart_api.kube.kinds import FEDERATION_SITE, HEART_MODEL, Kind, children_kinds
from heart_api.kube.values import Manifest, ModelKey, SiteKey
from heart_operator.controllers.executor import Executor
from heart_operator.controllers.installation import InstallationWatch
from heart_operator.controllers.reconciler import Decide, Reconciler
from heart_operator.controllers.site_reconciler import SiteReconciler
from heart_operator.controllers.status import StatusWriter
from heart_operator.controllers.watches import SETTLE, Key, build_registry, build_settings, use_credentials
from heart_operator.controllers.workqueue import WorkQueue
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError, NotFound
from heart_operator.kube.lease import REQUEST_TIMEOUT, LeaderLease
from heart_operator.lineage.build import Sessions, build_deliverer
from heart_operator.mlflow.backend import MlflowBackend
from heart_operator.mlflow.calls import Backend
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.mlflow.token import RegistryToken
from heart_operator.observe.children import optional_kinds
from heart_operator.observe.coordinator import CoordinatorReader
from heart_operator.observe.observer import Observer
from heart_operator.observe.sites import SiteObserver
from heart_operator.observe.usage import NamespaceUsage
from heart_operator.plan.heartmodel import plan_heart_model
from heart_operator.profiles import ProfilesFile
from heart_operator.settings import Settings
from heart_operator.shutdown import ended, first_of, stop_on_signals, unending
from heart_operator.telemetry.authorization import MetricsAuthorizer
from heart_operator.telemetry.certificate import self_signed
from heart_operator.telemetry.endpoints import HttpServer, build_metrics, build_probes
from heart_operator.telemetry.liveness import Pulse, is_alive
from heart_operator.telemetry.operator import Metrics
from heart_operator.telemetry.registry import RegistryCollector
from heart_operator.traffic.sampler import MetricsReader
from heart_operator.triggers.server import build_trigger_server

log = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds that running reconciles get to end; the pod's own grace period is longer."""
FREED_BY_DELETION = frozenset({"models", "schedules"})
"""Quotas that count objects which exist."""
SPREAD = 3.0
"""Seconds over which the reconciles of all models are spread."""


class Operator:
    """One replica. Raises ProfilesError when there are no usable runtime profiles."""

    def __init__(
        self,
        settings: Settings,
        configuration: client.Configuration,
        *,
        decide: Decide = plan_heart_model,
        connect: Callable[[str], Backend] = MlflowBackend,
    ) -> None:
        clock = time.monotonic
        self._settings = settings
        self._configuration = configuration
        self._profiles = ProfilesFile(settings.profiles)
        self.metrics = Metrics()
        self._pulse = Pulse(clock)
        self._elections, self._cluster = Cluster(configuration, REQUEST_TIMEOUT), Cluster(configuration)
        place = settings.lease_namespace, settings.lease_name
        self._lease = LeaderLease(self._elections, *place, settings.pod_name, clock)
        self._cluster.write_time = lambda: self._lease.write_time
        self._token = RegistryToken(self._elections, settings.lease_namespace, settings.registry_account)
        self._registry = RegistryReader(connect, clock=clock, max_age=settings.registry_seconds)
        self.metrics.registry.register(RegistryCollector(self._registry.availability))
        self._queue = WorkQueue[Key](clock=clock, group=lambda key: key.namespace, on_depth=self.metrics.depth.set)
        self._usage = NamespaceUsage()
        self._answers = MetricsReader(self._cluster)
        self._coordinators = CoordinatorReader(self._cluster, clock)
        self._installation = InstallationWatch(self._cluster, settings.lease_namespace, self.metrics.blocked)
        self._observer = self._build_observer(clock)
        self._registry.on_change = self._enqueue_users_of
        self._sessions = Sessions()
        self._deliverer = build_deliverer(
            settings, self._registry, self._sessions, self._enqueue, self.metrics.registry
        )
        self._reconcile_model, self._reconcile_site = self._build_reconcilers(decide)
        probes = build_probes(lambda: is_alive(self._pulse, self._lease.read))
        self.http = HttpServer(probes, settings.http_host, settings.http_port)
        self.scraped = self._build_scraped(clock)
        # Every replica answers: what is asked is written with the object's resourceVersion, not under the Lease.
        self.triggered = build_trigger_server(settings, self._elections)

    def _build_observer(self, clock: Callable[[], float]) -> Observer:
        return Observer(
            self._cluster,
            self._registry,
            lambda: self._profiles.current,
            clock,
            self._answers,
            lambda: self._installation.blocked,
            self._coordinators,
            self._settings.watches,
            train_jobs=self._settings.train_jobs,
        )

    def _build_reconcilers(self, decide: Decide) -> tuple[Reconciler, SiteReconciler]:
        """Of models and of sites; both write with one executor."""
        executor = Executor(self._cluster, self._registry, StatusWriter(self._cluster, self.metrics.stored))
        sites = SiteObserver(self._cluster, lambda: self._profiles.current, self._settings.watches)
        return (
            Reconciler(
                self._observer, decide, executor, self._queue, self.metrics, self._usage, deliverer=self._deliverer
            ),
            SiteReconciler(sites, executor, self._queue.add_after, self.metrics),
        )

    def _build_scraped(self, clock: Callable[[], float]) -> HttpServer:
        """The metrics, for whom Kubernetes lets read them."""
        settings = self._settings
        readable = build_metrics(self.metrics.registry, MetricsAuthorizer(self._elections, clock).decide)
        return HttpServer(readable, settings.http_host, settings.metrics_port, self_signed(settings.lease_name))

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises LeaseLost, or what a part failed with."""
        try:
            await self.http.start()
            await self.scraped.start()
            if self.triggered:
                await self.triggered.start()
            await first_of(stop.wait(), self._lease.acquire())
            if not stop.is_set():
                await self._lead(stop)
        finally:
            await self._lease.release()
            await self._close_endpoints()
            self._registry.close()
            await self._sessions.close()
            await self._answers.close()
            await self._coordinators.close()
            await self._elections.close()
            await self._cluster.close()

    async def _lead(self, stop: asyncio.Event) -> None:
        """Act, until `stop` or until the Lease is lost."""
        self.metrics.leader.set(1)
        await self._token.renew()
        closing = asyncio.Event()
        work = asyncio.create_task(self._work(), name="workers")
        watches = asyncio.create_task(self._watch(stop, closing), name="watches")
        upkeep = (
            self._lease.keep(),
            self._token.keep(),
            self._registry.poll(),
            self._profiles.watch(self._enqueue_all),
            self._installation.keep(),
            self._resync(),
            *((self._deliverer.keep(),) if self._deliverer.destinations else ()),
        )
        try:
            await first_of(stop.wait(), unending(work), unending(watches), *upkeep)
        finally:
            self.metrics.leader.set(0)
            self._queue.stop()
            await ended(work, GRACE)
            await self._lease.release()
            await self._close_endpoints()
            closing.set()
            await ended(watches, GRACE)

    async def _close_endpoints(self) -> None:
        for server in (self.http, self.scraped, self.triggered):
            if server:
                await server.stop()

    async def _work(self) -> None:
        """Reconcile, once it is known what each namespace uses: its quota holds from the first training on."""
        while not self._queue.stopping:
            try:
                await self._usage.load(self._cluster, self._settings.namespaces, datetime.now(UTC))
                break
            except ApiError as error:
                log.warning("What namespaces use cannot be counted: %s", error)
                await asyncio.sleep(SPREAD)
        await self._queue.run(self._reconcile, self._settings.workers)

    async def _watch(self, stop: asyncio.Event, closing: asyncio.Event) -> None:
        """kopf's watches. kopf ends every task of the loop that is younger than its own when it stops: it goes last."""
        kinds = await self._children_kinds()
        registry = build_registry(kinds, self._enqueue, self._pulse.beat, self._count)
        use_credentials(registry, self._configuration)
        before = asyncio.all_tasks()
        self._pulse.beat()
        namespaces = {*self._settings.namespaces, self._settings.lease_namespace}
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=build_settings(kinds, self._settings.lease_name),
            standalone=True,
            # By default kopf looks up the user's name, and the pod's UID has none.
            identity=self._settings.pod_name,
            clusterwide=not self._settings.namespaces,
            namespaces=namespaces if self._settings.namespaces else (),
            stop_flag=closing,
        )
        stop_on_signals(stop)  # again: kopf has just taken them
        await kopf.run_tasks(tasks, ignored=before)

    async def _children_kinds(self) -> tuple[Kind, ...]:
        """Kinds of children that this cluster has, once it has the kind HeartModel."""
        while True:
            try:
                if HEART_MODEL.kind in await self._cluster.kinds_of(HEART_MODEL.api_version):
                    return children_kinds(await optional_kinds(self._cluster, train_jobs=self._settings.train_jobs))
                log.warning("The HeartModel CRD is not installed; apply the CRDs of this release")
            except ApiError as error:
                log.warning("The cluster's API resources cannot be read: %s", error)
            await asyncio.sleep(SPREAD)

    async def _resync(self) -> None:
        """Reconcile every model from time to time, whatever the watches say."""
        while True:
            await asyncio.sleep(self._settings.resync_seconds * random.uniform(0.8, 1.2))
            await self._enqueue_all()

    async def _enqueue_all(self) -> None:
        """Every model, and what was one at its last reconcile."""
        try:
            models = await self._usage.refresh(self._cluster, self._settings.namespaces)
        except ApiError as error:
            log.warning("The models cannot be listed: %s", error)
            return
        named = {ModelKey(model.namespace, model.name) for model in models}
        seen = {ModelKey(*name) for name in self.metrics.tracks.models}
        keys: list[Key] = [*(named | seen | self.metrics.schedules.models()), *await self._all_sites()]
        for key in keys:
            self._queue.add_after(key, random.uniform(0, SPREAD))

    async def _all_sites(self) -> list[SiteKey]:
        """None where the cluster does not know the kind (older CRDs)."""
        try:
            return await self._cluster.collect(FEDERATION_SITE, self._settings.namespaces, site_key)
        except NotFound:
            return []
        except ApiError as error:
            log.warning("The FederationSites cannot be listed: %s", error)
            return []

    async def _reconcile(self, key: Key) -> None:
        await (self._reconcile_site(key) if isinstance(key, SiteKey) else self._reconcile_model(key))

    def _enqueue_users_of(self, uri: str, names: frozenset[str] | None) -> None:
        for key in self._observer.interested(uri, names):
            self._queue.add_after(key, random.uniform(0, SETTLE if names else SPREAD))

    def _count(self, kind: Kind, namespace: str, name: str, created: str | None) -> None:
        """A HeartModel or RetrainSchedule was seen. Those that waited for the place of a deleted one are reconciled."""
        if not self._settings.watches(namespace):
            return
        if created is not None:
            self._usage.add(kind, namespace, name, created)
            return
        self._usage.remove(kind, namespace, name)
        for key in self.metrics.quota.waiting_for(namespace, FREED_BY_DELETION):
            self._queue.add_after(key, SETTLE)

    def _enqueue(self, key: Key) -> None:
        if self._settings.watches(key.namespace):
            self._queue.add_after(key, SETTLE)


def site_key(item: Manifest) -> SiteKey:
    return SiteKey(item["metadata"]["namespace"], item["metadata"]["name"])
