"""The sites of a model's training: which take part, and why no training starts."""

from collections.abc import Iterable
from dataclasses import dataclass

from heart_api.federating import Federation
from heart_api.federationsite import FederationSite
from heart_api.names import Reason
from heart_api.status import SiteConsent, TrainingSite
from heart_operator.plan.federation.consent import consent, refusal
from heart_operator.plan.observed import Observed

REASONS = {
    "Missing": Reason.SITE_MISSING,
    "Rejected": Reason.SITE_REFUSED,
    "ContractMismatch": Reason.CONTRACT_MISMATCH,
    "Checking": Reason.WAITING_FOR_SITES,
}


@dataclass(frozen=True, slots=True)
class SiteWait:
    """Why a federated training does not start."""

    reason: str
    message: str


def consents(observed: Observed) -> tuple[SiteConsent, ...]:
    """Of every site that the model names, in the order of their names."""
    found = (consent(observed.model, entry) for entry in observed.sites)
    return tuple(sorted(found, key=lambda entry: entry.site))


def site_wait(observed: Observed) -> SiteWait | None:
    """Why no training may start now; None: it may, or the model has a dataset of its own."""
    federation = observed.model.spec.federation
    if federation is None:
        return None
    found = consents(observed)
    bad = [entry for entry in found if entry.state not in ("Ready", "Checking")]
    if bad and federation.on_missing_site == "Hold":
        return SiteWait(REASONS[bad[0].state], f"{said(bad)}. No training starts without (onMissingSite is Hold)")
    if waiting := [entry for entry in found if entry.state == "Checking"]:
        return SiteWait(Reason.WAITING_FOR_SITES, said(waiting))
    ready = [entry for entry in found if entry.state == "Ready"]
    if len(ready) < federation.min_sites:
        return SiteWait(Reason.TOO_FEW_SITES, too_few(federation, ready, bad))
    return None


def too_few(federation: Federation, ready: list[SiteConsent], bad: list[SiteConsent]) -> str:
    why = f": {said(bad)}" if bad else "; spec.federation selects no more"
    return f"{len(ready)} of at least {federation.min_sites} sites can take part (minSites){why}"


def said(entries: Iterable[SiteConsent]) -> str:
    return "; ".join(entry.message for entry in entries)


def participants(observed: Observed) -> tuple[TrainingSite, ...] | None:
    """The sites of a training that starts now; None for a model with a dataset of its own.

    Their keys and bounds are fixed with it: a Job that is made again asks the same sites for the same.
    """
    if observed.model.spec.federation is None:
        return None
    ready = {entry.site: entry for entry in consents(observed) if entry.state == "Ready"}
    sites = {str(entry.place): entry.site for entry in observed.sites if entry.site}
    return tuple(participant(sites[name], entry) for name, entry in ready.items())


def participant(site: FederationSite, entry: SiteConsent) -> TrainingSite:
    return TrainingSite(
        site=entry.site,
        uid=site.uid,
        public_key=site.public_key,
        minimum_rows=site.spec.minimum_rows,
        minimum_cell=site.spec.minimum_cell,
        rows=entry.rows,
    )


def followed(observed: Observed, sites: tuple[TrainingSite, ...] | None) -> tuple[TrainingSite, ...] | None:
    """The sites of a running training with what is known of them now: the coordinator's view, and withdrawn consent."""
    if sites is None:
        return None
    seen = {f"{entry.namespace}/{entry.name}": entry for entry in observed.progress.sites} if observed.progress else {}
    living = {str(entry.place): entry.site for entry in observed.sites}
    found = []
    for site in sites:
        if result := seen.get(site.site):
            site = with_result(site, result.model_dump())
        found.append(withdrawn(observed, site, living.get(site.site)))
    return tuple(found)


def withdrawn(observed: Observed, entry: TrainingSite, site: FederationSite | None) -> TrainingSite:
    """The entry, withdrawn where the very FederationSite that consented is gone or consents no more."""
    if site is None or site.uid != entry.uid:
        why = f"FederationSite {entry.site} was deleted during the training"
    elif refused := refusal(site, observed.model):
        why = refused.message
    else:
        return entry
    return entry.model_copy(update={"state": "Withdrawn", "message": why})


def with_result(entry: TrainingSite, result: dict[str, object]) -> TrainingSite:
    """The entry with what the coordinator saw of the site."""
    kept = ("state", "exchanges", "seconds", "received_bytes", "last_seen", "message")
    update = {name: result[name] for name in kept}
    if result["state"] == "Refused":
        update["state"] = "Rejected"
    rows = result["rows"]
    return entry.model_copy(update=update | ({"rows": rounded(rows)} if isinstance(rows, int) and rows else {}))


def rounded(rows: int) -> int:
    """Down to two significant digits: the exact number says who joined or left."""
    step = int(10 ** max(0, len(str(rows)) - 2))
    return rows // step * step
