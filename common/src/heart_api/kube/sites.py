"""FederationSites as the API server returns them, parsed into the API types. No I/O."""

from pydantic import ValidationError

from heart_api.federationsite import FederationSite
from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.kube.objects import InvalidSpec, spell
from heart_api.kube.values import Manifest


def parse_site(raw: Manifest) -> FederationSite:
    """Raises InvalidSpec. An unreadable status counts as an empty one: the data are checked again."""
    meta = raw["metadata"]
    try:
        return FederationSite.model_validate(
            {
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "generation": meta.get("generation", 1),
                "labels": meta.get("labels") or {},
                "spec": raw.get("spec") or {},
                "status": parse_site_status(raw),
            }
        )
    except ValidationError as error:
        raise InvalidSpec(spell(error)) from None


def parse_site_status(raw: Manifest) -> FederationSiteStatus:
    try:
        return FederationSiteStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return FederationSiteStatus()


def allowed_models(raw: Manifest) -> frozenset[str]:
    """`namespace/name` of every model that a site allows, readable or not."""
    entries = (raw.get("spec") or {}).get("allow")
    found = (entry.get("model") for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()
    return frozenset(name for name in found if isinstance(name, str))


def named_sites(raw: Manifest) -> frozenset[str]:
    """`namespace/name` of every site that a HeartModel names, readable or not."""
    federation = (raw.get("spec") or {}).get("federation")
    sites = federation.get("sites") if isinstance(federation, dict) else None
    return frozenset(name for name in sites if isinstance(name, str)) if isinstance(sites, list) else frozenset()
