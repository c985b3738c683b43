"""Reads for the checks: an object that does not exist is an answer."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import yaml

from heart_api.kube.kinds import Kind
from heart_api.kube.values import Manifest
from heart_api.names import PART_OF, Label
from heart_cli.client import Client
from heart_cli.errors import ApiFailure

CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
OURS = f"{Label.PART_OF}={PART_OF}"


class Reader:
    """The cluster as the user sees it. Every method raises ApiFailure, with status 403 if the user may not read."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.namespace = client.namespace

    def path(self, path: str, **query: str) -> Any | None:
        """The decoded answer; None if there is no such object or kind."""
        try:
            return self.client.call("GET", path, query)
        except ApiFailure as error:
            if error.status == 404:
                return None
            raise

    def object(self, kind: Kind, name: str, namespace: str = "") -> Manifest | None:
        return self.path(kind.path(namespace or self.namespace, quote(name, safe="")))

    def objects(self, kind: Kind, **query: str) -> list[Manifest]:
        """Empty also where the kind is not installed."""
        found = self.path(kind.path(self.namespace), **query)
        return found["items"] if found else []

    def component(self, kind: Kind, component: str) -> Manifest | None:
        """The chart's object of this component."""
        selector = f"{OURS},{Label.COMPONENT}={component}"
        return next(iter(self.objects(kind, labelSelector=selector)), None)

    def resources(self, api_version: str) -> frozenset[str]:
        """Plurals that the API server has in a group and version; empty if it does not know them."""
        found = self.path(f"/apis/{api_version}")
        return frozenset(entry["name"] for entry in found["resources"]) if found else frozenset()


def read_profiles(system: Reader) -> Mapping[str, Any]:
    """Runtime profiles of the installation as plain data; empty if there is none."""
    for item in system.objects(CONFIG_MAP, labelSelector=f"{OURS},{Label.COMPONENT}=operator"):
        if text := (item.get("data") or {}).get("profiles.yaml"):
            found = yaml.safe_load(text)
            return found if isinstance(found, dict) else {}
    return {}
