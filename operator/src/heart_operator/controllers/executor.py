"""What a plan does to the cluster and the registry. Each action is idempotent; what changed meanwhile is a Conflict."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from heart_api.kube.kinds import BY_NAME, DEPLOYMENT, JOB, TRAIN_JOB, Kind
from heart_api.kube.objects import owned
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import Reason
from heart_api.status import JobRecord
from heart_operator.controllers.status import StatusWriter, problem
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import Conflict, NotFound, RequestRejected
from heart_operator.manifests.children import key_of
from heart_operator.mlflow.backend import server_address
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.observe.observation import Owner
from heart_operator.observe.train_jobs import is_train_job, template_digest
from heart_operator.plan.actions import Adopt, Plan, ResourcePlan, Scale
from heart_operator.plan.observed import Observed

log = logging.getLogger(__name__)


class NameTaken(Exception):
    """An object with a required name exists and belongs to another owner; the message names it."""


class Executor:
    """Carries out the plans of HeartModels, RetrainSchedules and FederationSites."""

    def __init__(
        self,
        cluster: Cluster,
        registry: RegistryReader,
        status: StatusWriter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster = cluster
        self._registry = registry
        self._status = status
        self._now = now

    async def carry_out(self, owner: Owner, plan: ResourcePlan[Any]) -> None:
        """Record the facts, adopt, apply, create, scale, delete and report, in this order; stop at the first error.

        A request that the API server rejects, and a name taken by another owner, are reported on the owner and raised.
        """
        try:
            if plan.has_actions:
                owner = await self._status.write(owner, plan.facts)
            for adopt in plan.adopt:
                await self._adopt(owner, adopt)
            for manifest in plan.apply:
                await self._apply(owner, manifest)
            for manifest in plan.create:
                if (made := await self._create(owner, manifest)) and made["kind"] in (JOB.kind, TRAIN_JOB.kind):
                    plan = plan.with_jobs([record_of(made)])
            for scale in plan.scale:
                await self._scale(owner, scale)
            for key in plan.delete:
                await self._delete(owner, key)
            await self._status.report(owner, plan)
        except (RequestRejected, NameTaken) as error:
            await self._status.report(owner, problem(owner, Reason.APPLY_FAILED, str(error), self._now()))
            raise

    async def tell_registry(self, observed: Observed, plan: Plan) -> None:
        """Write aliases, tags and run states to MLflow: copies of the status for users of its UI."""
        if observed.profile is None:
            return
        for action in plan.registry:
            self._cluster.check_leading("MLflow")
            await self._registry.act(
                server_address(observed.profile, observed.model.namespace), observed.model.registry_name, action
            )
            log.info("HeartModel %s/%s: MLflow: %s", observed.model.namespace, observed.model.name, action)

    async def _adopt(self, owner: Owner, adopt: Adopt) -> None:
        """Before anything else is done about the object; what it depends on is applied after."""
        kind = BY_NAME[adopt.key.api_version, adopt.key.kind]
        await self._cluster.rewrite(kind, owner.namespace, adopt.key.name, adopt.patch)
        log.info("%s: adopted %s/%s", owner, adopt.key.kind, adopt.key.name)

    async def _apply(self, owner: Owner, manifest: Manifest) -> None:
        """To a living object by its uid: a namesake that took its place meanwhile is not touched."""
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        living = owner.children.get(key_of(manifest)) or await self._check_ours(owner, kind, name)
        if living:
            manifest = {**manifest, "metadata": {**manifest["metadata"], "uid": living["metadata"]["uid"]}}
        await self._cluster.apply(kind, manifest)
        log.info("%s: applied %s/%s", owner, kind.kind, name)

    async def _create(self, owner: Owner, manifest: Manifest) -> Manifest | None:
        """Create the object; None if this owner has it already (the next reconcile decides whether it is believed)."""
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        try:
            made = await self._cluster.create(kind, manifest)
        except Conflict:
            await self._check_ours(owner, kind, name)
            return None
        log.info("%s: created %s/%s", owner, kind.kind, name)
        return {**made, "kind": kind.kind}

    async def _check_ours(self, owner: Owner, kind: Kind, name: str) -> Manifest | None:
        """The object if this owner controls it, or None if it does not exist. Raises NameTaken if it belongs to another
        owner."""
        try:
            found = await self._cluster.get(kind, owner.namespace, name)
        except NotFound:
            return None
        if "deletionTimestamp" in found["metadata"]:
            raise Conflict(f"{kind.kind} {name} is still being deleted")
        if not owned(found, owner.uid):
            raise NameTaken(
                f"{kind.kind} {name} exists and does not belong to this {owner.kind.kind}; rename or delete one of them"
            )
        return found

    async def _scale(self, owner: Owner, scale: Scale) -> None:
        body = {"spec": {"replicas": scale.replicas}}
        await self._cluster.patch(DEPLOYMENT, owner.namespace, scale.deployment, "scale", body)
        log.info("%s: scaled Deployment/%s to %d", owner, scale.deployment, scale.replicas)

    async def _delete(self, owner: Owner, key: ObjectKey) -> None:
        """Only what was observed, by its uid."""
        living = owner.children.get(key)
        if living is None:
            return
        kind, uid = BY_NAME[key.api_version, key.kind], living["metadata"]["uid"]
        try:
            await self._cluster.delete(kind, owner.namespace, key.name, uid)
        except NotFound:
            return
        log.info("%s: deleted %s/%s", owner, key.kind, key.name)


def record_of(made: Manifest) -> JobRecord:
    """Of a Job or TrainJob that was just created."""
    template = template_digest(made) if is_train_job(made) else None
    return JobRecord(name=made["metadata"]["name"], uid=made["metadata"]["uid"], template=template)


def kind_of(manifest: Manifest) -> Kind:
    return BY_NAME[manifest["apiVersion"], manifest["kind"]]
