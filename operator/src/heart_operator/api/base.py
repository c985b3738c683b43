"""What every value of the API shares: camelCase outside, snake_case inside, never changed once read."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DURATION_PATTERN = r"^([0-9]+(ms|s|m|h|d))+$"
SHA256_PATTERN = r"^(sha256:)?[a-f0-9]{64}$"

Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)]
"""Length of time as Kubernetes users write it: `500ms`, `60s`, `1h30m`, `90d`."""


class Frozen(BaseModel):
    """Base of spec-like values: unknown fields are refused, so that a typing error is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    def dump(self) -> dict[str, Any]:
        """As JSON-ready data with the API's field names; unset optional fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class FrozenLenient(Frozen):
    """Base of values that another version of HeartOps may have written: unknown fields are skipped."""

    model_config = ConfigDict(extra="ignore")
