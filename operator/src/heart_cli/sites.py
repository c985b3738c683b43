"""The sites of a model with spec.federation: whether each can take part, and its part in the latest training."""

from collections.abc import Iterator
from datetime import datetime

from heart_api.heartmodel import HeartModel
from heart_api.status import SiteConsent, TrainingSite
from heart_cli.text import age, count

CONSENT = {
    "Ready": "consents",
    "Checking": "being checked",
    "Missing": "missing",
    "Rejected": "rejects",
    "ContractMismatch": "contract mismatch",
}
PARTS = {
    "Waiting": "waited for",
    "Active": "training",
    "Offline": "offline",
    "Late": "late",
    "Rejected": "rejects",
    "Completed": "has trained",
    "Withdrawn": "withdrawn",
}


def site_lines(model: HeartModel, now: datetime) -> Iterator[str]:
    """`hospital-01/ward · consents · about 1200 rows · has trained (8 exchanges, 3m ago)`; nothing without sites."""
    training = model.status.training
    parts = {entry.site: entry for entry in (training.sites if training else None) or ()}
    for consent in model.status.sites or ():
        part = parts.pop(consent.site, None)
        yield " · ".join(filter(None, (consent.site, *consent_words(consent), part_text(part, now), consent.message)))
    for name, part in sorted(parts.items()):
        yield " · ".join(filter(None, (name, "no longer named", part_text(part, now))))


def consent_words(consent: SiteConsent) -> Iterator[str]:
    yield CONSENT[consent.state]
    if consent.rows is not None:
        yield f"about {count(consent.rows, 'row')}"


def part_text(part: TrainingSite | None, now: datetime) -> str:
    if part is None:
        return ""
    seen = f", {age(part.last_seen, now)} ago" if part.last_seen else ""
    why = f": {part.message}" if part.message else ""
    return f"{PARTS[part.state]} ({count(part.exchanges, 'exchange')}{seen}){why}"
