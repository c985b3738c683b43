"""Plays the node where there is none: the real controllers make the pods, this says how they fare."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx

from heart_api.drift import CHECK_REQUEST, CheckOutcome, CheckRequest
from heart_api.federation import (
    CoordinatorIdentity,
    FederatedTrainingRequest,
    SiteCheckOutcome,
    SiteCheckRequest,
    SiteOutcome,
    SiteRequest,
)
from heart_api.handover import Env, EvaluationRequest, TrainingFailure, TrainingOutcome, TrainingRequest
from heart_api.kube.kinds import POD
from heart_api.names import Component, Label
from tests.support.apiserver.client import KubeApi, Resource

Fate = Literal["ready", "crash", "pending"]
Train = Callable[[Any], TrainingOutcome | None]
"""From a TrainingRequest, or a FederatedTrainingRequest."""
Evaluate = Callable[[EvaluationRequest], TrainingOutcome | None]
Check = Callable[[CheckRequest], CheckOutcome | None]
SiteCheck = Callable[[SiteCheckRequest], SiteCheckOutcome | None]
Join = Callable[[SiteRequest], SiteOutcome | None]
IDENTITY = CoordinatorIdentity(certificate="-----BEGIN CERTIFICATE-----", bundle_sha256="b" * 64)


class FakeKubelet:
    """Ends pods of Jobs with what `train`, `evaluate`, `check`, `check_site` or `join` returns (None: they run on);
    serving pods get ready, and a coordinator's pod says who it is.

    `fates` changes the lot of a serving version: `crash` for CrashLoopBackOff, `pending` for a pod that never starts.
    """

    def __init__(self, api: KubeApi, train: Train, evaluate: Evaluate, namespace: str) -> None:
        self.train = train
        self.evaluate = evaluate
        self.check: Check = lambda request: None
        self.check_site: SiteCheck = lambda request: None
        self.join: Join = lambda request: None
        self.fates: dict[str, Fate] = {}
        self._api = api
        self._namespace = namespace
        self._told: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.error: Exception | None = None

    def __enter__(self) -> "FakeKubelet":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.error:
            raise self.error

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            try:
                for label in (Label.MODEL, Label.SITE):
                    for pod in self._api.list(POD, self._namespace, label):
                        self._step(pod)
            except httpx.HTTPError:
                continue
            except Exception as error:
                self.error = error
                return

    def _step(self, pod: Resource) -> None:
        meta = pod["metadata"]
        component = meta["labels"][Label.COMPONENT]
        fate = self.fates.get(meta["labels"].get(Label.MODEL_VERSION, ""), "ready")
        if self._told.get(meta["uid"]) in (fate, "ended"):
            return
        if component == Component.SITE:
            self._end_site_job(pod)
        elif component in (Component.TRAINING, Component.CHECK):
            self._end_job(pod)
        elif fate != "pending":
            self._tell(pod, fate, serving_status(fate))

    def _end_job(self, pod: Resource) -> None:
        variables = {entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0]["env"]}
        outcome: TrainingOutcome | CheckOutcome | None
        if CHECK_REQUEST in variables:
            outcome = self.check(CheckRequest.model_validate_json(variables[CHECK_REQUEST]))
        elif index_of(pod) not in (None, "0"):
            outcome = TrainingOutcome()  # the first worker alone has something to tell
        elif Env.EVALUATION_REQUEST in variables:
            outcome = self.evaluate(EvaluationRequest.model_validate_json(variables[Env.EVALUATION_REQUEST]))
        elif Env.FEDERATED_REQUEST in variables:
            self._tell_once(pod, coordinating_status())
            outcome = self.train(FederatedTrainingRequest.model_validate_json(variables[Env.FEDERATED_REQUEST]))
        else:
            outcome = self.train(TrainingRequest.model_validate_json(variables[Env.TRAINING_REQUEST]))
        if outcome is not None:
            self._tell(pod, "ended", training_status(outcome, pod["spec"]["containers"][0]["name"]))

    def _end_site_job(self, pod: Resource) -> None:
        variables = {entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0]["env"]}
        self._tell_once(pod, {"phase": "Running"})
        outcome: SiteCheckOutcome | SiteOutcome | None
        if Env.SITE_CHECK_REQUEST in variables:
            outcome = self.check_site(SiteCheckRequest.model_validate_json(variables[Env.SITE_CHECK_REQUEST]))
        else:
            outcome = self.join(SiteRequest.model_validate_json(variables[Env.SITE_REQUEST]))
        if outcome is not None:
            self._tell(pod, "ended", training_status(outcome))

    def _tell_once(self, pod: Resource, status: Resource) -> None:
        if self._told.get(pod["metadata"]["uid"]) != "running":
            self._tell(pod, "running", status)

    def _tell(self, pod: Resource, fate: str, status: Resource) -> None:
        meta = pod["metadata"]
        self._api.patch(POD, meta["namespace"], meta["name"], {"status": status}, "status")
        self._told[meta["uid"]] = fate


def index_of(pod: Resource) -> str | None:
    """The number of a worker among several."""
    index: str | None = pod["metadata"]["labels"].get(Label.POD_INDEX)
    return index


def container(name: str, state: Resource, **more: Any) -> Resource:
    return {"name": name, "image": "i", "imageID": "i", "restartCount": 0, "ready": False, "state": state, **more}


def coordinating_status() -> Resource:
    """A coordinator's pod whose first container has said whom sites have to trust."""
    message = IDENTITY.model_dump_json(by_alias=True)
    ended = container("identity", {"terminated": {"exitCode": 0, "reason": "Completed", "message": message}})
    return {"phase": "Running", "initContainerStatuses": [ended]}


def training_status(
    outcome: TrainingOutcome | CheckOutcome | SiteCheckOutcome | SiteOutcome, name: str = "trainer"
) -> Resource:
    """A pod that wrote its outcome and ended."""
    failed = outcome.failure is not None
    passing = outcome.failure is not None and outcome.failure.reason == "TrainingInterrupted"
    message = outcome.model_dump_json(by_alias=True, exclude_none=True)
    ended = {
        "exitCode": 1 if passing else 2 if failed else 0,
        "reason": "Error" if failed else "Completed",
        "message": message,
    }
    state = {"terminated": ended}
    return {"phase": "Failed" if failed else "Succeeded", "containerStatuses": [container(name, state)]}


def serving_status(fate: Fate) -> Resource:
    if fate == "crash":
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
        died = {"terminated": {"exitCode": 1, "reason": "Error", "message": "the model answers NaN"}}
        return {"phase": "Running", "containerStatuses": [container("server", waiting, lastState=died)]}
    since = (datetime.now(UTC) - timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": since} for kind in ("Ready", "ContainersReady")
    ]
    running = container("server", {"running": {"startedAt": since}}) | {"ready": True, "started": True}
    return {"phase": "Running", "conditions": conditions, "containerStatuses": [running]}


def failing(reason: Any, message: str) -> Train:
    """A training that ends with this failure."""
    return lambda request: TrainingOutcome(failure=TrainingFailure(reason=reason, message=message))
