"""What an api test of the operator needs: a namespace of its own, a registry, a node that plays along, an operator."""

import copy
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from kubernetes.aio.client import Configuration

from heart_api.kube.kinds import (
    BY_NAME,
    CHILDREN,
    DEPLOYMENT,
    EVENT,
    FEDERATION_SITE,
    HEART_MODEL,
    JOB,
    OPTIONAL_CHILDREN,
    RETRAIN_SCHEDULE,
    SERVICE,
    Kind,
)
from heart_api.names import FIELD_MANAGER, Label
from heart_operator.mlflow.backend import MlflowBackend
from heart_operator.mlflow.calls import Backend
from heart_operator.settings import Settings
from tests.support.apiserver.audit import Audit
from tests.support.apiserver.client import KubeApi, Resource, poll
from tests.support.apiserver.fake_kubelet import FakeKubelet
from tests.support.apiserver.running_operator import RunningOperator
from tests.support.registry.fake import FakeRegistry

T = TypeVar("T")

OPERATOR_NAMESPACE = "heartops"
ACCOUNT = f"system:serviceaccount:{OPERATOR_NAMESPACE}:heartops"
PROFILES: dict[str, Any] = {
    "default": {
        "images": {"trainer": "trainer:1", "serving": "serving:1", "federation": "federation:1"},
        "trackingUri": "https://mlflow.example:5000",
        "routes": {
            "gateways": ["gateways/public", "gateways/closed", "ingress/public", "{namespace}/public"],
            "ingressClasses": ["none"],
            "hosts": ["*"],
        },
    }
}
CRASHING = {"containers": [{"name": "server", "image": "elsewhere:1"}]}
"""An edit of a Deployment's pod template that would break it."""
SPEC: Resource = {
    "dataset": {"uri": "https://example.org/heart.csv"},
    "target": {"name": "num", "positiveAbove": 0},
    "features": [
        {"name": "age", "type": "number", "minimum": 0, "maximum": 120},
        {"name": "sex", "type": "category", "values": [0, 1], "sensitive": True},
    ],
    "gates": {"checks": [{"metric": "roc_auc", "min": 0.8}]},
    "versionsFromOutside": "Adopt",
    "serving": {"replicas": 2},
    "rollout": {"steps": []},
}


class World:
    """One test's world. Its models are deleted at the end."""

    def __init__(self, api: KubeApi, configuration: Configuration, namespace: str, folder: Path, audit: Path) -> None:
        self.api = api
        self.namespace = namespace
        self.registry = FakeRegistry()
        self.kubelet = FakeKubelet(api, self.registry.train, self.registry.evaluate, namespace)
        self.profiles = folder / "profiles.yaml"
        self.profiles.write_text(json.dumps(PROFILES))
        self._configuration = configuration
        self.audit = Audit(audit, ACCOUNT)
        self._operators: list[RunningOperator] = []

    def __enter__(self) -> "World":
        self.api.create_namespace(self.namespace)
        self.kubelet.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kubelet.__exit__(kind, error, trace)
        for ours in (FEDERATION_SITE, RETRAIN_SCHEDULE, HEART_MODEL):
            for found in self.api.list(ours, self.namespace):
                self.api.delete(ours, self.namespace, found["metadata"]["name"])

    def start(
        self, pod: str = "operator-a", connect: Callable[[str], Backend] | None = None, **settings: Any
    ) -> RunningOperator:
        """An operator as the chart runs it, except for its ports."""
        wanted = {
            "pod_name": pod,
            "lease_namespace": OPERATOR_NAMESPACE,
            "profiles": self.profiles,
            "http_host": "127.0.0.1",
            "http_port": 0,
            "metrics_port": 0,
            "registry_seconds": 1,
        }
        operator = RunningOperator(
            Settings(**(wanted | settings)), self._configuration, connect or (lambda uri: self.registry)
        )
        self._operators.append(operator)
        return operator

    def create(self, name: str = "heart", **spec: Any) -> Resource:
        """A HeartModel with these fields of the spec changed."""
        return self.api.create(HEART_MODEL, model(self.namespace, name, **spec))

    def create_schedule(self, name: str = "nightly", model: str = "heart", **spec: Any) -> Resource:
        """A RetrainSchedule of the model."""
        metadata = {"namespace": self.namespace, "name": name}
        kind = {"apiVersion": RETRAIN_SCHEDULE.api_version, "kind": RETRAIN_SCHEDULE.kind}
        return self.api.create(RETRAIN_SCHEDULE, kind | {"metadata": metadata, "spec": {"modelName": model, **spec}})

    def schedule_status(self, name: str = "nightly") -> Resource:
        found = self.api.get(RETRAIN_SCHEDULE, self.namespace, name)
        assert found, f"there is no RetrainSchedule {name}"
        return found.get("status") or {}

    def edit(self, changes: Mapping[str, Any], name: str = "heart") -> None:
        self.api.patch(HEART_MODEL, self.namespace, name, {"spec": changes})

    def orphan(self, name: str = "heart") -> None:
        """`kubectl delete heartmodel --cascade=orphan`: until it is gone and nobody owns its children."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"}
        self.api.call("DELETE", HEART_MODEL.path(self.namespace, name), options)
        poll("the model is gone", lambda: self.api.get(HEART_MODEL, self.namespace, name) is None, 60)
        poll("nobody owns the children", lambda: not self.owners(name), 60)

    def model(self, name: str = "heart") -> Resource:
        found = self.api.get(HEART_MODEL, self.namespace, name)
        assert found, f"there is no HeartModel {name}"
        return found

    def status(self, name: str = "heart") -> Resource:
        return self.model(name).get("status") or {}

    def condition(self, type_: str, name: str = "heart") -> Resource:
        """Empty before there is one."""
        return next((entry for entry in self.status(name).get("conditions", ()) if entry["type"] == type_), {})

    def wait_condition(
        self, type_: str, status: str, reason: str | None = None, name: str = "heart", seconds: float = 20
    ) -> Resource:
        def met() -> Resource | None:
            found = self.condition(type_, name)
            return found if found.get("status") == status and reason in (None, found["reason"]) else None

        return self._poll_status(f"{type_}={status} ({reason or 'any reason'})", met, name, seconds)

    def _poll_status(self, what: str, probe: Callable[[], T | None], name: str, seconds: float) -> T:
        """`poll`, and the status in the failure."""
        try:
            return poll(f"{what} of {name}", probe, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {json.dumps(self.status(name), indent=1)}") from None

    def serving(self, name: str = "heart") -> str | None:
        """The version that the status says serves."""
        return self.status(name).get("serving", {}).get("version")

    def wait_serving(self, version: str = "1", name: str = "heart", seconds: float = 20) -> None:
        """Until the version serves and the model is ready."""
        self._poll_status(f"serving version {version}", lambda: self.serving(name) == version, name, seconds)
        self.wait_condition("Ready", "True", name=name, seconds=seconds)

    def selected(self, name: str = "heart") -> str | None:
        """The version that the Service sends requests to."""
        service = self.api.get(SERVICE, self.namespace, name)
        return service and service["spec"]["selector"].get(Label.MODEL_VERSION)

    def children(self, name: str = "heart") -> set[tuple[str, str]]:
        """(kind, name) of everything that belongs to the model."""
        return self.api.names((*CHILDREN, *OPTIONAL_CHILDREN), self.namespace, f"{Label.MODEL}={name}")

    def child(self, kind: Kind, name: str) -> Resource:
        found = self.api.get(kind, self.namespace, name)
        assert found, f"there is no {kind.kind} {name}"
        return found

    def jobs(self, name: str = "heart") -> list[Resource]:
        return self.api.list(JOB, self.namespace, f"{Label.MODEL}={name}")

    def deployments(self, name: str = "heart") -> dict[str, Resource]:
        """By version."""
        found = self.api.list(DEPLOYMENT, self.namespace, f"{Label.MODEL}={name}")
        return {item["metadata"]["labels"][Label.MODEL_VERSION]: item for item in found}

    def event_reasons(self, name: str = "heart") -> list[str]:
        events = self.api.list(EVENT, self.namespace)
        ours = [event for event in events if event["involvedObject"].get("name") == name]
        return [event["reason"] for event in ours if event["source"].get("component") == FIELD_MANAGER]

    def wait_event(self, reason: str, name: str = "heart", seconds: float = 20) -> None:
        """Events are written after the status."""
        poll(f"an event {reason} of {name}", lambda: reason in self.event_reasons(name), seconds)

    def writes(self) -> list[str]:
        """Every mutating request of operators about this namespace."""
        return self.audit.writes(self.namespace)

    def owners(self, name: str = "heart") -> set[str]:
        """Uids of whatever owns the children."""
        items = (self.api.get(kind_named(kind), self.namespace, child) for kind, child in self.children(name))
        return {owner["uid"] for item in items if item for owner in item["metadata"].get("ownerReferences", ())}

    def settle(self, quiet: float = 2) -> None:
        """Wait until the operator that leads has looked, and all have written nothing for some seconds."""
        running = [operator for operator in self._operators if operator.runs]
        poll("an operator looks at the models", lambda: not running or any(one.has_reconciled for one in running), 60)
        self.wait_silence(quiet)

    def wait_silence(self, quiet: float = 2) -> None:
        """Wait until operators have written nothing for some seconds."""
        last, since = len(self.writes()), time.monotonic()

        def calm() -> bool:
            nonlocal last, since
            if (now := len(self.writes())) != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > quiet

        poll("the operator stops writing", calm, 30)


def kind_named(name: str) -> Kind:
    return next(kind for kind in BY_NAME.values() if kind.kind == name)


def model(namespace: str, name: str, **spec: Any) -> Resource:
    """A HeartModel as a person writes it."""
    return {
        "apiVersion": HEART_MODEL.api_version,
        "kind": HEART_MODEL.kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": copy.deepcopy(SPEC) | spec,
    }


def real_mlflow(uri: str) -> Callable[[str], Backend]:
    """Every profile's registry is this server."""
    return lambda _: MlflowBackend(uri)


def configuration_for(api: KubeApi, token: str, folder: Path) -> Configuration:
    """Credentials of a ServiceAccount."""
    ca = folder / "ca.crt"
    ca.write_bytes(api.ca)
    configuration = Configuration(host=api.server, ssl_ca_cert=str(ca))
    configuration.api_key["BearerToken"] = f"Bearer {token}"
    return configuration
