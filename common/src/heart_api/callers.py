"""Who may connect to a model's pods: `spec.serving.callers` and a profile's `callers`, as NetworkPolicy peers."""

from typing import Literal

from pydantic import ConfigDict, Field

from heart_api.base import Frozen, ShortText
from heart_api.rules import rule, rules


class Requirement(Frozen):
    """One requirement on a label."""

    key: str = Field(min_length=1, max_length=317, description="Name of the label that the selector applies to.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="Relation of the label's value to `values`."
    )
    values: tuple[ShortText, ...] | None = Field(
        None, max_length=64, description="Values to compare with, for `In` and `NotIn`."
    )


class Selector(Frozen):
    """A label selector; an empty one selects everything."""

    match_labels: dict[str, ShortText] | None = Field(
        None, max_length=16, description="Labels that must all be there with these values."
    )
    match_expressions: tuple[Requirement, ...] | None = Field(
        None, max_length=16, description="Further requirements; all must hold."
    )


class Caller(Frozen):
    """Pods that may call the model; with both selectors, the selected pods of the selected namespaces."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.namespaceSelector) || has(self.podSelector)",
                "select namespaces, pods or both; an empty selector selects everything",
                ".podSelector",
                "FieldValueRequired",
            )
        )
    )

    namespace_selector: Selector | None = Field(
        None,
        description="Namespaces, by their labels (`kubernetes.io/metadata.name` is the name); if absent, the model's"
        " own.",
    )
    pod_selector: Selector | None = Field(None, description="Pods, by their labels; if absent, all.")


class AddressBlock(Frozen):
    """Addresses outside the pod network, such as those of the API server's nodes."""

    cidr: str
    exclusions: tuple[str, ...] | None = Field(None, alias="except")


class Peer(Caller):
    """A caller in a runtime profile, which may be an address as well."""

    ip_block: AddressBlock | None = None
