"""Checks of federated training: the FederationSites of the namespace, and the sites that its models name."""

from collections.abc import Iterator

from heart_api.kube.kinds import FEDERATION_SITE, HEART_MODEL
from heart_api.kube.values import Manifest
from heart_api.names import SiteCondition, SiteReason
from heart_cli.doctor.findings import Finding, Level
from heart_cli.doctor.reader import Reader
from heart_cli.sites import CONSENT

AREA = "sites"
CHOSEN = (SiteReason.SUSPENDED, SiteReason.WAITING_FOR_MODEL, SiteReason.NOTHING_ALLOWED)
"""What the data holder, or the owner of a model, has decided or will."""


def check_sites(models: Reader) -> Iterator[Finding]:
    """No finding where there are neither sites nor federated models."""
    for site in models.objects(FEDERATION_SITE):
        yield judge_site(site)
    for model in models.objects(HEART_MODEL):
        if "federation" in model["spec"]:
            yield from judge_consents(model)


def judge_site(site: Manifest) -> Finding:
    name = f"FederationSite {site['metadata']['name']}"
    conditions = {entry["type"]: entry for entry in (site.get("status") or {}).get("conditions") or ()}
    ready = conditions.get(SiteCondition.READY)
    if ready is None:
        fix = "See the operator's log; operator.namespaces in the chart's values limits what it watches"
        return Finding("problem", AREA, f"{name}: not reconciled yet", fix)
    if ready["status"] == "True":
        return Finding("ok", AREA, f"{name}: {ready['message']}")
    waits = ready["status"] == "Unknown" or ready["reason"] in CHOSEN
    level: Level = "note" if waits else "problem"
    message = f"{name}: {ready['reason']}: {ready['message']}"
    return Finding(level, AREA, message, f"kubectl heart explain {ready['reason']}")


def judge_consents(model: Manifest) -> Iterator[Finding]:
    """The sites of a model, in other namespaces too, as its status has them."""
    name = model["metadata"]["name"]
    consents = (model.get("status") or {}).get("sites") or ()
    for entry in consents:
        if entry["state"] == "Ready":
            continue
        level: Level = "note" if entry["state"] == "Checking" else "problem"
        message = (
            f"{name}: site {entry['site']} {CONSENT[entry['state']]}: {entry.get('message') or 'no reason is told'}"
        )
        yield Finding(
            level, AREA, message, f"kubectl heart status {name}; ask whoever holds the data of {entry['site']}"
        )
    if consents and all(entry["state"] == "Ready" for entry in consents):
        yield Finding("ok", AREA, f"{name}: all {len(consents)} sites consent")
