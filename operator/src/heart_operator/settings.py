"""The operator's own settings, all from the environment (the chart sets them).

| variable | default | meaning |
|---|---|---|
| HEARTOPS_NAMESPACES | (empty) | namespaces to watch, separated by commas; empty: the whole cluster |
| HEARTOPS_POD_NAME | host name | identity in the Lease |
| HEARTOPS_LEASE_NAMESPACE | heartops | namespace of the Lease: the operator's own |
| HEARTOPS_LEASE_NAME | heartops-operator | name of the Lease |
| HEARTOPS_PROFILES | /etc/heartops/profiles.yaml | runtime profiles: name → profile |
| HEARTOPS_HTTP_HOST | 0.0.0.0 | address of /livez, /readyz and /metrics |
| HEARTOPS_HTTP_PORT | 8080 | port of /livez and /readyz |
| HEARTOPS_METRICS_PORT | 8443 | port of /metrics: TLS, for tokens that may `get` this non-resource URL |
| HEARTOPS_TRIGGERS_PORT | (empty) | port of the triggers over HTTP (TLS); empty: off |
| HEARTOPS_TRIGGERS_TLS | (empty) | folder with tls.crt and tls.key; empty: a self-signed certificate |
| HEARTOPS_TRIGGERS_KEYS | (empty) | folder with a file of webhook keys for each namespace |
| HEARTOPS_EVENTS_URL | (empty) | where decisions are POSTed as CloudEvents; empty: nowhere |
| HEARTOPS_EVENTS_TOKEN | (empty) | file with the bearer token for it |
| HEARTOPS_EVENTS_HISTORY | false | keep the whole history of each model in MLflow |
| HEARTOPS_LINEAGE_URL | (empty) | where trainings and evaluations are POSTed as OpenLineage events; empty: nowhere |
| HEARTOPS_LINEAGE_TOKEN | (empty) | file with the bearer token for it |
| HEARTOPS_WORKERS | 8 | models reconciled at the same time |
| HEARTOPS_RESYNC_SECONDS | 300 | every model is reconciled again after about this time |
| HEARTOPS_REGISTRY_SECONDS | 15 | age at which the view of the registry is read again |
| HEARTOPS_REGISTRY_ACCOUNT | (empty) | ServiceAccount whose token MLflow receives; empty: MLflow's variables |
| HEARTOPS_TRAIN_JOBS | false | whether the operator has the right to TrainJobs of Kubeflow |
| HEARTOPS_LOG_LEVEL | info | debug, info, warning or error |
| HEARTOPS_LOG_FORMAT | json | json or text |
"""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

PREFIX = "HEARTOPS_"


class SettingsError(Exception):
    """A variable is missing or wrong; the message names it."""


def split_names(value: Any) -> Any:
    """`a, b` as a tuple of names."""
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


def lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


SinkUrl = Annotated[str, Field(pattern=r"^(https?://[^@\s]+)?$")]
"""Without user and password: a token is read from a file."""


class Settings(BaseModel):
    """One field per variable of the table above."""

    model_config = ConfigDict(frozen=True)

    namespaces: Annotated[tuple[str, ...], BeforeValidator(split_names)] = ()
    pod_name: str = Field(default_factory=socket.gethostname, min_length=1)
    lease_namespace: str = Field("heartops", min_length=1)
    lease_name: str = Field("heartops-operator", min_length=1)
    profiles: Path = Path("/etc/heartops/profiles.yaml")
    http_host: str = "0.0.0.0"  # noqa: S104  kubelet and Prometheus reach the pod's own address
    http_port: int = Field(8080, ge=0, le=65535)
    metrics_port: int = Field(8443, ge=0, le=65535)
    events_url: SinkUrl = ""
    events_token: Path | None = None
    events_history: bool = False
    lineage_url: SinkUrl = ""
    lineage_token: Path | None = None
    triggers_port: int | None = Field(None, ge=0, le=65535)
    triggers_tls: Path | None = None
    triggers_keys: Path | None = None
    workers: int = Field(8, ge=1, le=64)
    resync_seconds: float = Field(300, ge=1)
    registry_seconds: float = Field(15, ge=0)
    registry_account: str = ""
    train_jobs: bool = False
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)] = "info"
    log_format: Annotated[Literal["json", "text"], BeforeValidator(lower)] = "json"

    def watches(self, namespace: str) -> bool:
        """True if the operator manages the resources of this namespace."""
        return not self.namespaces or namespace in self.namespaces


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings of the environment; an empty variable counts as absent.

    Raises SettingsError, which names the variable.
    """
    given = {name: environ.get(PREFIX + name.upper()) for name in Settings.model_fields}
    try:
        return Settings.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        problems = [f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        raise SettingsError("; ".join(problems)) from None
