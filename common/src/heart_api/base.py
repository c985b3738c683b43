"""What every value of the API shares: camelCase outside, snake_case inside, never changed once read."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from heart_api.rules import rule, rules

DURATION_PATTERN = r"^([0-9]{1,6}(ms|s|m|h|d))+$"
SHORT_DURATION_PATTERN = r"^([0-9]{1,6}(ms|s|m))+$"
SHA256_PATTERN = r"^(sha256:)?[a-f0-9]{64}$"
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=16)]
"""Length of time as Kubernetes users write it: `500ms`, `60s`, `1h30m`, `90d`."""

POSITIVE = rules(rule("self.matches('[1-9]')", "must be greater than zero"))
"""For a Duration that may not be zero."""

ShortDuration = Annotated[str, Field(pattern=SHORT_DURATION_PATTERN, max_length=16, json_schema_extra=POSITIVE)]
"""Minutes at most (CEL can compare those); more than zero."""

ShortText = Annotated[str, Field(max_length=63)]


class Frozen(BaseModel):
    """Base of spec-like values: unknown fields are rejected, so that a typo is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    def dump(self) -> dict[str, Any]:
        """As JSON-ready data with the API's field names; unset optional fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class FrozenLenient(Frozen):
    """Base of values that another version of HeartOps may have written: unknown fields are skipped."""

    model_config = ConfigDict(extra="ignore")
