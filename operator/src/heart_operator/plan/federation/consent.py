"""Who may be trained where: the rules of consent, in one place, for the model's plan and for the site's.

No site, no data. A model that is not in `spec.allow` gets nothing, and neither does one whose contract is not the one
that the consent is for.
"""

from dataclasses import dataclass

from heart_api.federating import Federation, Place, SiteSelector
from heart_api.federationsite import AllowedModel, FederationSite
from heart_api.heartmodel import HeartModel
from heart_api.status import SiteConsent
from heart_operator.plan.observed import ObservedSite

MOST_COLUMNS = 3
SEE_STATUS = "the status of the FederationSite says more to the holder of the data"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a site gives a model nothing."""

    contract: bool
    """True: for its contract. False: it is not allowed at all."""
    message: str


def refusal(site: FederationSite, model: HeartModel) -> Refusal | None:
    """Why the spec of the site keeps its data from this model; None: the data holder consents."""
    name = f"{model.namespace}/{model.name}"
    if site.spec.suspend:
        return Refusal(False, f"the data holder has suspended FederationSite {site.place}")
    if (allowed := allowance(site, name)) is None:
        return Refusal(
            False, f"FederationSite {site.place} does not allow {name}: its data holder adds it to spec.allow"
        )
    if allowed.contract_hash and allowed.contract_hash != model.contract_hash:
        return Refusal(
            True,
            f"FederationSite {site.place} allows another contract ({allowed.contract_hash}); if the data holder agrees"
            f" with today's, it is {model.contract_hash}",
        )
    return None


def allowance(site: FederationSite, model: str) -> AllowedModel | None:
    """The entry of `spec.allow` for a model, by `namespace/name`."""
    return next((entry for entry in site.spec.allow if entry.model == model), None)


def names(federation: Federation | None, site: FederationSite) -> bool:
    """Whether a model wants this site: by its name, or by its namespace and labels."""
    if federation is None:
        return False
    if federation.selector:
        return selects(federation.selector, site.place, site.labels)
    return str(site.place) in (federation.sites or ())


def selects(selector: SiteSelector, place: Place, labels: dict[str, str]) -> bool:
    wanted = selector.match_labels or {}
    return place.namespace in selector.namespaces and wanted.items() <= labels.items()


def consent(model: HeartModel, found: ObservedSite) -> SiteConsent:
    """Whether the site can take part in the model's next training, and why not."""
    site = found.site
    if site is None:
        missing = found.problem or f"there is no FederationSite {found.place}: ask the holder of its data to create it"
        return SiteConsent(site=str(found.place), state="Missing", message=missing)
    if refused := refusal(site, model):
        state = "ContractMismatch" if refused.contract else "Rejected"
        return SiteConsent.model_validate({"site": str(site.place), "state": state, "message": refused.message})
    return checked(model, site)


def checked(model: HeartModel, site: FederationSite) -> SiteConsent:
    """What the check of the site's data found for today's contract."""
    place, name = str(site.place), f"{model.namespace}/{model.name}"
    if site.spec.public_key:
        return SiteConsent(site=place, state="Ready", message="it is elsewhere, and dials in by itself")
    entry = next((entry for entry in site.status.models if entry.model == name), None)
    is_current = site.status.observed_generation == site.generation
    if entry is None or not is_current or entry.contract_hash != model.contract_hash:
        return SiteConsent(
            site=place, state="Checking", message=f"the data of FederationSite {place} are being checked"
        )
    match entry.state:
        case "Ready":
            return SiteConsent(site=place, state="Ready", rows=site.status.rows)
        case "ContractMismatch":
            columns = columns_text(site, name)
            return SiteConsent(site=place, state="ContractMismatch", rows=site.status.rows, message=columns)
        case "TooFewRows":
            return SiteConsent(site=place, state="Rejected", rows=site.status.rows, message=entry.message)
        case "CheckFailed":
            message = f"the data of FederationSite {place} cannot be read; {SEE_STATUS}"
            return SiteConsent(site=place, state="Rejected", rows=site.status.rows, message=message)
        case _:
            return SiteConsent(site=place, state="Checking", message=entry.message)


def columns_text(site: FederationSite, model: str) -> str:
    """The contract's own columns, at most three. What a check says of the file as a whole may name files and other
    columns of the holder's, which are none of the model's owner's business.
    """
    found = [problem for problem in site.status.problems if problem.model == model]
    named = [f"{problem.column}: {problem.message}" for problem in found if problem.column]
    more = f"; {SEE_STATUS}" if len(named) > MOST_COLUMNS or len(named) < len(found) or not named else ""
    shown = "; ".join(named[:MOST_COLUMNS]) or "not in a column alone"
    return f"data of FederationSite {site.place} break the contract: {shown}{more}"
