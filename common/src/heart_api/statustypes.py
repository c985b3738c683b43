"""Types that more than one status is made of."""

from typing import Annotated, Literal

from pydantic import Field

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, as Kubernetes writes times."""

Digest = Annotated[str, Field(description="sha256:<hex> of the model's file.")]
Version = Annotated[str, Field(description="Version in the registry.")]
DriftVerdict = Literal["Drift", "NoDrift", "Unconfirmed", "InsufficientSamples"]
