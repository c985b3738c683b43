"""Requests and limits of a container; nothing else of a pod can be said in a resource."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from heart_api.base import Frozen
from heart_api.rules import rule, rules

# Never zero: Kubernetes reads a limit of 0 as "no limit", which would pass by the profile's caps.
QUANTITY_PATTERN = r"^([1-9][0-9]*(\.[0-9]+)?|0\.0*[1-9][0-9]*)(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"


def as_written(value: Any) -> Any:
    """`cpu: 2` means `cpu: "2"`, as everywhere in Kubernetes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    Field(pattern=QUANTITY_PATTERN, max_length=20),
    BeforeValidator(as_written),
    Field(json_schema_extra={"minimum": 1, "x-kubernetes-int-or-string": True}),
]


class Amounts(Frozen):
    cpu: Quantity | None = Field(None, description="CPU in cores, for example 500m.")
    memory: Quantity | None = Field(None, description="Memory in bytes, for example 512Mi.")


def request_within_limit(name: str) -> dict[str, Any]:
    given = f"has(self.requests) && has(self.limits) && has(self.requests.{name}) && has(self.limits.{name})"
    request, limit = (f"quantity(string(self.{part}.{name}))" for part in ("requests", "limits"))
    return rule(
        f"!({given}) || {request}.compareTo({limit}) <= 0",
        f"requests.{name} must not be greater than limits.{name}",
        f".requests.{name}",
    )


class Resources(Frozen):
    """Requests and limits of a container."""

    model_config = ConfigDict(json_schema_extra=rules(request_within_limit("cpu"), request_within_limit("memory")))

    requests: Amounts | None = Field(
        None, description="Minimum amount of each resource, by which the pod is scheduled."
    )
    limits: Amounts | None = Field(
        None, description="Maximum amount of each resource; the runtime profile may cap it further."
    )
