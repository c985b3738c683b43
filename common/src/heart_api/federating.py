"""`spec.federation`: training where the data are, at sites whose holders have consented (FederationSite)."""

import re
from typing import Annotated, NamedTuple

from pydantic import ConfigDict, Field

from heart_api.base import NAME_PATTERN, Frozen, ShortText
from heart_api.federation import MAX_SITES, Aggregation, OnMissingSite
from heart_api.rules import LIST_SET, rule, rules

REFERENCE_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
CONTRACT_PATTERN = r"^sha256:[a-f0-9]{64}$"

Reference = Annotated[str, Field(pattern=REFERENCE_PATTERN, max_length=127)]
"""An object of any namespace, as `namespace/name`."""
ContractHash = Annotated[str, Field(pattern=CONTRACT_PATTERN, max_length=71)]


class Place(NamedTuple):
    """A reference in its parts."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def place_of(reference: str) -> Place:
    """Raises ValueError for what is no reference."""
    if not re.fullmatch(REFERENCE_PATTERN, reference):
        raise ValueError(f"{reference!r} is not namespace/name")
    return Place(*reference.split("/"))


class SiteSelector(Frozen):
    """Chooses FederationSites by label, in namespaces whose owners the model's owner trusts with its coefficients."""

    namespaces: tuple[Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)], ...] = Field(
        min_length=1,
        max_length=MAX_SITES,
        description="Namespaces to search. A site elsewhere never takes part, whatever its labels say.",
        json_schema_extra=LIST_SET,
    )
    match_labels: dict[str, ShortText] | None = Field(
        None, max_length=16, description="Labels that must all be there with these values; absent: every site."
    )


class Federation(Frozen):
    """Sites to train at, and what to do when one of them is missing."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.sites) != has(self.selector)", "exactly one of sites and selector is needed"),
            rule(
                "!has(self.sites) || size(self.sites) >= self.minSites",
                "minSites must not be greater than the number of sites",
                ".minSites",
            ),
        )
    )

    sites: tuple[Reference, ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_SITES,
        description="FederationSites to train at, as `namespace/name`. Each of them must allow this model.",
        json_schema_extra=LIST_SET,
    )
    selector: SiteSelector | None = None
    min_sites: int = Field(
        2, ge=1, le=MAX_SITES, description="Minimum number of sites; with fewer no training starts, and none ends well."
    )
    on_missing_site: OnMissingSite = Field(
        "Hold",
        description="What to do without one of the sites. Hold: no training starts, and one that loses a site fails."
        " Continue: train with the others, `minSites` at least.",
    )
    round_deadline_seconds: int = Field(
        300,
        ge=30,
        le=3600,
        description="Time limit of one exchange with the sites; a site that has not answered by then is missing.",
    )
    aggregation: Aggregation = Field(
        "Sum",
        description="How the sites' answers are combined. Sum: exact sums, which the coordinator sees of each site;"
        " they are not differentially private.",
    )
