"""Kubernetes objects as data, and the values that are read from them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Manifest = dict[str, Any]
"""A Kubernetes object as data."""


@dataclass(frozen=True, slots=True)
class ModelKey:
    """Which HeartModel."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class SiteKey:
    """Which FederationSite."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"site {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """One object in the model's namespace."""

    api_version: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why pods do not run, and what a person does about it."""

    cause: str
    """`Quota`, `Scheduling`, `VolumeMissing`, …: a key of `blocked.ADVICE`."""
    message: str
    """Kubernetes' message."""
    advice: str
    hopeless: bool = False
    """Waiting does not help: a user has to create what is missing, or to change the spec."""
    since: datetime | None = None
    """Creation of the pod that waits; None where there is no pod."""
    lost: datetime | None = None
    """When one of the pods was last evicted, or ended with an error: its replacement may only be starting."""

    def __str__(self) -> str:
        return f"{self.message}. {self.advice}"


@dataclass(frozen=True, slots=True)
class VersionDeployment:
    """The Deployment of one model version."""

    name: str
    uid: str
    version: str
    digest: str
    trigger: str
    run_id: str
    created: datetime
    replicas: int
    ready: int
    up_to_date: bool
    """The Deployment controller has seen the newest spec and its pods run it."""
    problem: str = ""
    """Why pods do not start, as given by Kubernetes: CrashLoopBackOff, ImagePullBackOff, …"""
    evaluation_sha256: str = ""
    """From the annotation: lets the evaluation be read back when the status was lost."""
    crashes: int = 0
    """How often the server ended in the living pods."""
    blocked: Blocked | None = None
    """Why pods that it should have do not run; None: all of them are ready, or only starting."""
    is_secure: bool = False
    """Its pods take predictions over TLS alone."""
