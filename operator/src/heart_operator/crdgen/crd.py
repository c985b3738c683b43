"""The CustomResourceDefinition of HeartModel."""

from typing import Any

from heart_operator.api.heartmodel import HeartModelSpec, HeartModelStatus
from heart_operator.api.names import API_VERSION, GROUP, Condition
from heart_operator.api.rules import rule, rules
from heart_operator.crdgen.schema import Schema, structural_schema

PLURAL = "heartmodels"
DESCRIPTION = (
    "HeartModel is a tabular model that the cluster trains, gates and serves: the newest version that passed its"
    " gates answers behind a Service of the same name."
)
NAME_RULE = rule(
    "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "metadata.name is also the Service's name: at most 63 of a-z, 0-9 and -, beginning with a letter",
)


def column(name: str, path: str, *, kind: str = "string", wide: bool = False, description: str = "") -> dict[str, Any]:
    """A printer column; `wide` ones are shown by `-o wide`."""
    found: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    if description:
        found["description"] = description
    return found | {"priority": 1} if wide else found


def ready(part: str) -> str:
    return f'.status.conditions[?(@.type=="{Condition.READY}")].{part}'


COLUMNS = (
    column("Ready", ready("status"), description="The wanted version serves with the wanted replicas."),
    column("Version", ".status.serving.version", description="The version that serves."),
    column("Candidate", ".status.candidate.version", description="The version on its way to serve."),
    column("Gate", ".status.gate", description="The newest version's gates."),
    column("URL", ".status.serving.url", description="Where to send predictions."),
    column("Reason", ready("reason"), wide=True, description="Why it is ready, or is not."),
    column("Training", ".status.training.phase", wide=True, description="The newest training."),
    column("Replicas", ".status.replicas", kind="integer", wide=True, description="Serving pods."),
    column("Age", ".metadata.creationTimestamp", kind="date"),
)


def root_schema() -> Schema:
    return {
        "description": DESCRIPTION,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{API_VERSION}"},
            "kind": {"type": "string", "description": "HeartModel"},
            "metadata": {"type": "object"},
            "spec": structural_schema(HeartModelSpec),
            "status": structural_schema(HeartModelStatus, defaults=False),
        },
        **rules(NAME_RULE),
    }


def build_crd() -> dict[str, Any]:
    """As data, ready for YAML."""
    scale = {
        "specReplicasPath": ".spec.serving.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    version = {
        "name": API_VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}, "scale": scale},
        "additionalPrinterColumns": [dict(found) for found in COLUMNS],
        "schema": {"openAPIV3Schema": root_schema()},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "HeartModel",
                "listKind": "HeartModelList",
                "plural": PLURAL,
                "singular": "heartmodel",
                "shortNames": ["hm"],
                "categories": ["heartops"],
            },
            "versions": [version],
        },
    }
