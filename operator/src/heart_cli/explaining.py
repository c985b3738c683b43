"""`kubectl heart explain REASON`: what a reason, condition or other word of a status means, and what to do. No I/O."""

from collections.abc import Iterator
from difflib import get_close_matches

from heart_api import meanings, schedulemeanings, sitemeanings
from heart_api.explained import Explained
from heart_api.kube.blocked import ADVICE
from heart_api.kube.installation import JOB_FAILED
from heart_api.wordmeanings import WORDS

Entry = tuple[str, Explained]
TABLES = (
    ("HeartModel", meanings.CONDITIONS, meanings.REASONS),
    ("RetrainSchedule", schedulemeanings.CONDITIONS, schedulemeanings.REASONS),
    ("FederationSite", sitemeanings.CONDITIONS, sitemeanings.REASONS),
)
RESOURCES = "spec.training.resources or spec.serving.resources"
FAILED = "A Job of the installation has failed for good: one that makes Secrets, or that prepares the prediction log."
RETRY = "See `kubectl logs` of the Job that the message names; delete the Job and run `helm upgrade` to try again."


def entries() -> Iterator[tuple[str, Entry]]:
    """(name, (where it appears, explanation)) of every condition, reason, word and cause; a name may appear twice."""
    for kind, conditions, reasons in TABLES:
        for name, meaning in conditions.items():
            yield name, (f"condition of a {kind}", Explained(f"If True: {meaning}"))
        for name, explained in reasons.items():
            yield name, (f"reason of a {kind}", explained)
    for what, words in WORDS.items():
        for name, explained in words.items():
            yield name, (what, explained)
    for cause, advice in ADVICE.items():
        meaning = "Why a Job or Deployment has no running pods: the cause in brackets of a message."
        yield cause, ("cause", Explained(meaning, f"{advice.format(resources=RESOURCES)}."))
    yield JOB_FAILED, ("cause", Explained(FAILED, RETRY))


def find_explanations(name: str) -> list[tuple[str, Entry]]:
    """All entries of that name, whatever its case."""
    return [(known, entry) for known, entry in entries() if known.lower() == name.lower()]


def similar(name: str) -> list[str]:
    """Names that a person may have meant."""
    known = {known.lower(): known for known, _ in entries()}
    return [known[match] for match in get_close_matches(name.lower(), known, n=3)]


def all_names() -> list[str]:
    return sorted({name for name, _ in entries()})
