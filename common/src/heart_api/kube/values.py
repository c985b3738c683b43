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
class ObjectKey:
    """One object in the model's namespace."""

    api_version: str
    kind: str
    name: str


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
