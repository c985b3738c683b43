"""Requests and limits of a container; nothing else of a pod can be said in a resource."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from heart_operator.api.base import Frozen

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"


def as_written(value: Any) -> Any:
    """`cpu: 2` means `cpu: "2"`, as everywhere in Kubernetes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    BeforeValidator(as_written),
    Field(pattern=QUANTITY_PATTERN, max_length=20, json_schema_extra={"x-kubernetes-int-or-string": True}),
]


class Amounts(Frozen):
    cpu: Quantity | None = Field(None, description="Cores, e.g. 500m.")
    memory: Quantity | None = Field(None, description="Bytes, e.g. 512Mi.")


class Resources(Frozen):
    requests: Amounts | None = Field(None, description="What the scheduler reserves.")
    limits: Amounts | None = Field(None, description="What the container may not exceed.")
