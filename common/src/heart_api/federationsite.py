"""`FederationSite`: a data holder's consent that models are trained on its data, which never leave."""

from pydantic import ConfigDict, Field

from heart_api.base import NAME_PATTERN, Frozen
from heart_api.contract import Dataset
from heart_api.federating import ContractHash, Place, Reference
from heart_api.federation import PUBLIC_KEY_PATTERN
from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.resources import Resources
from heart_api.rules import list_map, rule, rules


class AllowedModel(Frozen):
    """A model that may be trained at the site."""

    model: Reference = Field(description="The HeartModel, as `namespace/name`.")
    contract_hash: ContractHash | None = Field(
        None,
        description="The data contract that the consent is for (`status.models[].contractHash`). A model whose task,"
        " target or features change gets nothing until the hash is changed as well. Absent: any contract.",
    )


class FederationSiteSpec(Frozen):
    """Specification of the consent. Without a FederationSite no data of a namespace takes part in a training."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.dataset) != has(self.publicKey)",
                "exactly one of dataset (data in this namespace) and publicKey (a site elsewhere) is needed",
            ),
            rule(
                "!has(self.dataset) || !has(self.dataset.includeFeedback) || !self.dataset.includeFeedback",
                "includeFeedback is for a model's own dataset",
                ".dataset.includeFeedback",
            ),
            rule(
                "!has(self.dataset) || !self.dataset.uri.startsWith('dvc+')",
                "the image of sites has no DVC: pull the file to a volume of the namespace, and name that (pvc://)",
                ".dataset.uri",
            ),
        )
    )

    runtime: str = Field(
        "default",
        pattern=NAME_PATTERN,
        max_length=63,
        description="Name of the runtime profile that provides the site's image: no other code reads the data.",
    )
    dataset: Dataset | None = Field(
        None, description="The site's data, read by pods of this namespace only. Absent for a site elsewhere."
    )
    allow: tuple[AllowedModel, ...] = Field(
        (),
        max_length=32,
        description="Models that may be trained on the data. To remove one withdraws the consent: a training in"
        " progress loses this site at once.",
        json_schema_extra=list_map("model"),
    )
    minimum_rows: int = Field(
        100, ge=20, le=1_000_000_000, description="Minimum number of valid rows; with fewer the site answers nothing."
    )
    minimum_cell: int = Field(
        10,
        ge=1,
        le=10_000,
        description="Minimum number of rows behind a count that leaves the site; smaller cells are suppressed.",
    )
    public_key: str | None = Field(
        None,
        pattern=PUBLIC_KEY_PATTERN,
        max_length=600,
        description="Public key of a site outside this cluster, in OpenSSH's format; it dials in by itself"
        " (docs/federated.md).",
    )
    suspend: bool = Field(
        False,
        description="Withdraw the consent for all models, until it is false again; active trainings lose the site.",
    )
    resources: Resources | None = Field(
        None, description="Requests and limits of the site's pods, capped by the runtime profile."
    )


class FederationSite(Frozen):
    """A FederationSite with the part of its metadata that decisions use."""

    namespace: str
    name: str
    uid: str
    generation: int = 1
    labels: dict[str, str] = {}
    spec: FederationSiteSpec
    status: FederationSiteStatus = FederationSiteStatus()

    @property
    def place(self) -> Place:
        return Place(self.namespace, self.name)

    @property
    def public_key(self) -> str:
        """By which a coordinator knows the site; empty before the first check."""
        return self.spec.public_key or self.status.public_key or ""
