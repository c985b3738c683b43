"""The outbox: what has just been decided is added, what everybody has acknowledged is removed. Pure.

It is stored in the same write as the decision, so that a crash loses none; and an id follows from the decision, so that
telling it again after a crash is harmless.
"""

from collections.abc import Iterable
from datetime import datetime

from pydantic import ValidationError

from heart_api.heartmodel import ConditionStatus, HeartModelStatus
from heart_api.names import Annotation
from heart_api.outbox import MAX_VALUE, MOST_ENTRIES, Destination, Erasure, OutboxEntry, OutboxStatus
from heart_operator.plan.observed import Observed
from heart_operator.plan.status.checked import checked
from heart_operator.plan.status.decisions import Made, decisions, erased

RUNS = frozenset({"training-started", "drift-checked"})
"""Runs of Jobs that decide nothing."""
LINEAGE = RUNS | {"trained", "training-failed", "evaluated", "evaluation-failed"}
"""What OpenLineage has events for: runs of Jobs."""
MOST_ERASURE = 1024


def with_outbox(
    observed: Observed, facts: HeartModelStatus, conditions: tuple[ConditionStatus, ...], now: datetime
) -> HeartModelStatus:
    """The facts with the outbox as it is after them. Without anybody to tell there is none."""
    erasure = new_erasure(observed)
    known = {"erasure": erasure.id if erasure else observed.model.status.erasure}
    if not observed.destinations:
        return facts.model_copy(update=known)
    after = facts.model_copy(update={"conditions": conditions})
    made = [
        *decisions(observed.model, after, now),
        *checked(observed.model, after),
        *([erased(observed.model, erasure)] if erasure else []),
    ]
    outbox = advance(observed.model.status.outbox or OutboxStatus(), made, observed)
    return facts.model_copy(update=known | {"outbox": outbox if outbox != OutboxStatus() else None})


def new_erasure(observed: Observed) -> Erasure | None:
    """One that has not been noticed yet."""
    text = observed.model.annotations.get(Annotation.ERASED, "")
    if len(text) > MOST_ERASURE:
        return None
    try:
        found = Erasure.model_validate_json(text)
    except ValidationError:
        return None
    return None if found.id == observed.model.status.erasure else found


def advance(outbox: OutboxStatus, made: Iterable[Made], observed: Observed) -> OutboxStatus:
    """Acknowledged entries go, new ones come; of too many the oldest are dropped and counted."""
    kept = [left for entry in outbox.entries if (left := unacknowledged(entry, observed)).pending]
    known = {entry.id for entry in kept}
    new = [entry_of(one, observed.destinations) for one in made if one.id not in known]
    entries = [*kept, *(entry for entry in new if entry.pending)]
    surplus = max(0, len(entries) - MOST_ENTRIES)
    return OutboxStatus(entries=tuple(entries[surplus:]), dropped=outbox.dropped + surplus)


def unacknowledged(entry: OutboxEntry, observed: Observed) -> OutboxEntry:
    """Who is configured no longer is not waited for."""
    pending = tuple(
        each for each in entry.pending if each in observed.destinations and (entry.id, each) not in observed.delivered
    )
    return entry.model_copy(update={"pending": pending})


def entry_of(made: Made, destinations: Iterable[Destination]) -> OutboxEntry:
    data = {name: value[:MAX_VALUE] for name, value in made.data.items() if value}
    pending = tuple(each for each in destinations if is_for(made, each))
    return OutboxEntry(id=made.id, type=made.type, time=made.time, data=data, pending=pending)


def is_for(made: Made, destination: Destination) -> bool:
    return made.type in LINEAGE if destination == "openlineage" else made.type not in RUNS
