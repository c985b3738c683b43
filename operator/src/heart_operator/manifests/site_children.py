"""What is applied for a FederationSite besides its Jobs: an identity without rights, and who its pods may talk to."""

from typing import Any

from heart_api.federating import place_of
from heart_api.federation import FLEET_PORT
from heart_api.federationsite import FederationSite
from heart_api.kube.values import Manifest
from heart_api.names import Component, Label, site_account_name
from heart_operator.manifests.network_policy import data_source, dns, tcp
from heart_operator.manifests.site_job import metadata, site_pods


def build_site_children(site: FederationSite) -> tuple[Manifest, ...]:
    """Nothing for a site elsewhere."""
    if site.spec.dataset is None:
        return ()
    return build_site_account(site), build_site_policy(site, site.spec.dataset.uri)


def build_site_account(site: FederationSite) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(site, site_account_name(site.name)),
        "automountServiceAccountToken": False,
    }


def build_site_policy(site: FederationSite, uri: str) -> Manifest:
    """In: nothing. Out: names, the coordinators of allowed models on the port for sites, and where the data is."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(site, site_account_name(site.name)),
        "spec": {
            "podSelector": {"matchLabels": site_pods(site.name)},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [dns(), *coordinators(site), *data_source(uri)],
        },
    }


def coordinators(site: FederationSite) -> list[dict[str, Any]]:
    """A suspended site reaches none."""
    if site.spec.suspend or not site.spec.allow:
        return []
    peers = [coordinator(*place_of(entry.model)) for entry in site.spec.allow]
    return [{"to": peers, "ports": tcp(FLEET_PORT)}]


def coordinator(namespace: str, model: str) -> dict[str, Any]:
    labels = {Label.MODEL: model, Label.COMPONENT: Component.TRAINING}
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": labels},
    }
