"""What a plan does to the cluster and the registry. Each action is idempotent; what changed meanwhile is a Conflict."""

import logging

from heart_api.kube.kinds import BY_NAME, DEPLOYMENT, Kind
from heart_api.kube.objects import owned
from heart_api.kube.values import Manifest, ObjectKey
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import Conflict, NotFound
from heart_operator.manifests.children import key_of
from heart_operator.mlflow.snapshots import RegistryReader
from heart_operator.plan.actions import Plan, Scale
from heart_operator.plan.observed import Observed

log = logging.getLogger(__name__)


class NameTaken(Exception):
    """An object of the name that we need exists and is not ours; the message says which."""


class Actions:
    """Carries out plans."""

    def __init__(self, cluster: Cluster, registry: RegistryReader) -> None:
        self._cluster = cluster
        self._registry = registry

    async def carry_out(self, observed: Observed, plan: Plan) -> None:
        """Apply, create, scale, delete. Stops at the first thing that does not work."""
        for manifest in plan.apply:
            await self._apply(observed, manifest)
        for manifest in plan.create:
            await self._create(observed, manifest)
        for scale in plan.scale:
            await self._scale(observed, scale)
        for key in plan.delete:
            await self._delete(observed, key)

    async def tell_registry(self, observed: Observed, plan: Plan) -> None:
        """Aliases, tags and runs: copies of what the status says, for those who look into MLflow."""
        if observed.profile is None:
            return
        for action in plan.registry:
            self._cluster.check_leading("MLflow")
            await self._registry.act(observed.profile.tracking_uri, observed.model.registry_name, action)
            log.info("%s/%s: told MLflow: %s", observed.model.namespace, observed.model.name, action)

    async def _create(self, observed: Observed, manifest: Manifest) -> None:
        kind = kind_of(manifest)
        try:
            await self._cluster.create(kind, manifest)
        except Conflict:
            await self._check_ours(observed, kind, manifest["metadata"]["name"])
        else:
            say("created", observed, manifest["kind"], manifest["metadata"]["name"])

    async def _apply(self, observed: Observed, manifest: Manifest) -> None:
        """To a living object by its uid: a namesake that took its place meanwhile is not touched."""
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        living = observed.children.get(key_of(manifest)) or await self._check_ours(observed, kind, name)
        if living:
            manifest = {**manifest, "metadata": {**manifest["metadata"], "uid": living["metadata"]["uid"]}}
        await self._cluster.apply(kind, manifest)
        say("applied", observed, kind.kind, name)

    async def _check_ours(self, observed: Observed, kind: Kind, name: str) -> Manifest | None:
        """The object when it is ours, None when there is none; raises NameTaken when it is somebody else's."""
        try:
            found = await self._cluster.get(kind, observed.model.namespace, name)
        except NotFound:
            return None
        if "deletionTimestamp" in found["metadata"]:
            raise Conflict(f"{kind.kind} {name} is still being deleted")
        if not owned(found, observed.model.uid):
            raise NameTaken(
                f"{kind.kind} {name} exists and does not belong to this model; rename or delete one of them"
            )
        return found

    async def _scale(self, observed: Observed, scale: Scale) -> None:
        body = {"spec": {"replicas": scale.replicas}}
        await self._cluster.patch(DEPLOYMENT, observed.model.namespace, scale.deployment, "scale", body)
        say(f"scaled to {scale.replicas}", observed, DEPLOYMENT.kind, scale.deployment)

    async def _delete(self, observed: Observed, key: ObjectKey) -> None:
        """Only what was observed, by its uid."""
        living = observed.children.get(key)
        if living is None:
            return
        try:
            uid = living["metadata"]["uid"]
            await self._cluster.delete(BY_NAME[key.api_version, key.kind], observed.model.namespace, key.name, uid)
        except NotFound:
            return
        say("deleted", observed, key.kind, key.name)


def kind_of(manifest: Manifest) -> Kind:
    return BY_NAME[manifest["apiVersion"], manifest["kind"]]


def say(what: str, observed: Observed, kind: str, name: str) -> None:
    log.info("%s/%s: %s %s/%s", observed.model.namespace, observed.model.name, what, kind, name)
