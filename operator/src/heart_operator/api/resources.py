"""Requests and limits of a container; nothing else of a pod can be said in a resource."""

from typing import Annotated

from pydantic import Field

from heart_operator.api.base import Frozen

QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"
Quantity = Annotated[str, Field(pattern=QUANTITY_PATTERN, max_length=20)]


class Amounts(Frozen):
    cpu: Quantity | None = Field(None, description="Cores, e.g. 500m.")
    memory: Quantity | None = Field(None, description="Bytes, e.g. 512Mi.")


class Resources(Frozen):
    requests: Amounts | None = Field(None, description="What the scheduler reserves.")
    limits: Amounts | None = Field(None, description="What the container may not exceed.")
