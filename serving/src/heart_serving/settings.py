"""What the pod's environment says; read once, at the start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heart_api.base import SHA256_PATTERN
from heart_api.handover import Env
from heart_serving.auth.settings import AuthSettings, read_auth_settings
from heart_serving.errors import SettingsError
from heart_serving.predictionlog.settings import NO_LOG, LogSettings, read_log_settings

ANY_HOST = "0.0.0.0"  # noqa: S104  a pod's server is reached from outside; NetworkPolicies say by whom
HOST = "HEARTOPS_HOST"
GRPC_PORT = "HEARTOPS_GRPC_PORT"
DEFAULT_GRPC_PORT = 9000
"""0 in the environment: no gRPC."""
MANAGEMENT_PORT = "HEARTOPS_MANAGEMENT_PORT"
DEFAULT_MANAGEMENT_PORT = 8081
"""0 in the environment: none."""
DRAIN_SECONDS = "HEARTOPS_DRAIN_SECONDS"
CONNECTION_SECONDS = "HEARTOPS_CONNECTION_SECONDS"
FAST_PATH = "HEARTOPS_FAST_PATH"


@dataclass(frozen=True, slots=True)
class Settings:
    """Which model this pod serves, and its bounds."""

    name: str
    namespace: str
    version: str
    sha256: str
    """Hex, without the prefix `sha256:`."""
    file: Path
    host: str = ANY_HOST
    port: int = 8080
    drain_seconds: float = 5.0
    """How long to go on answering after SIGTERM, until no endpoint list names this pod any more."""
    connection_seconds: float = 10.0
    """Mean age at which a connection is closed (jittered by a fifth), so that clients follow a change of traffic."""
    max_connections: int = 1000
    """Open at one time; beyond, the oldest idle one is closed, or the newest is rejected."""
    max_body: int = 2 * 1024 * 1024
    """Bytes of a request's body."""
    max_rows: int = 10_000
    """Records of one request."""
    max_in_flight: int = 128
    """Requests begun and not answered; beyond, clients get 503 with Retry-After."""
    fast_path: bool = True
    """Whether small predictions are answered as they are read, or through ASGI like all others."""
    explanations: bool = True
    """Whether /explain answers."""
    cors_origins: tuple[str, ...] = ()
    """Web pages that may read answers in a browser."""
    grpc_port: int | None = None
    """None: no gRPC."""
    management_port: int | None = None
    """Probes, metrics and the model's bytes; None: no such listener."""
    tls: Path | None = None
    """Folder with tls.crt and tls.key; None: predictions come without TLS."""
    auth: AuthSettings | None = None
    """None: callers need not say who they are."""
    paths_file: Path | None = None
    """Says, while the server runs, under which path prefixes users find the model."""
    mirror_file: Path | None = None
    """Says, while the server runs, what to copy to a candidate."""
    log: LogSettings = NO_LOG


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises SettingsError that names everything missing or malformed at once."""
    names = (Env.MODEL_NAME, Env.MODEL_NAMESPACE, Env.MODEL_VERSION, Env.MODEL_SHA256, Env.MODEL_FILE)
    if missing := [name for name in names if not environ.get(name)]:
        raise SettingsError(f"set {', '.join(missing)}: the operator gives them to every serving pod")
    return Settings(
        name=environ[Env.MODEL_NAME],
        namespace=environ[Env.MODEL_NAMESPACE],
        version=environ[Env.MODEL_VERSION],
        sha256=hex_digest(environ[Env.MODEL_SHA256]),
        file=Path(environ[Env.MODEL_FILE]),
        host=environ.get(HOST) or ANY_HOST,
        port=int(number(environ, Env.PORT, 8080, 1, 65535)),
        drain_seconds=number(environ, DRAIN_SECONDS, 5.0, 0, 3600),
        connection_seconds=number(environ, CONNECTION_SECONDS, 10.0, 0.1, 86400),
        fast_path=switch(environ, FAST_PATH, default=True),
        explanations=switch(environ, Env.EXPLANATIONS, default=True),
        cors_origins=tuple((environ.get(Env.CORS_ORIGINS) or "").split()),
        grpc_port=int(number(environ, GRPC_PORT, DEFAULT_GRPC_PORT, 0, 65535)) or None,
        management_port=int(number(environ, MANAGEMENT_PORT, DEFAULT_MANAGEMENT_PORT, 0, 65535)) or None,
        tls=Path(path) if (path := environ.get(Env.TLS_DIR)) else None,
        auth=read_auth_settings(environ),
        paths_file=Path(path) if (path := environ.get(Env.PATHS_FILE)) else None,
        mirror_file=Path(path) if (path := environ.get(Env.MIRROR_FILE)) else None,
        log=read_log_settings(environ),
    )


def hex_digest(value: str) -> str:
    """The 64 hex digits of `sha256:<hex>` or `<hex>`."""
    if not re.fullmatch(SHA256_PATTERN, value):
        raise SettingsError(f"{Env.MODEL_SHA256} is not a SHA-256 digest: expected sha256: and 64 hex digits")
    return value.removeprefix("sha256:")


def switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environ.get(name) or str(default)
    if value.lower() not in ("true", "false"):
        raise SettingsError(f"{name} must be true or false")
    return value.lower() == "true"


def number(environ: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    try:
        value = float(environ.get(name) or default)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SettingsError(f"{name} must be a number from {low:g} to {high:g}")
    return value
