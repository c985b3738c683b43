"""Selects the version to serve, by `spec.version`, from the registry and the digests recorded by the operator."""

from collections.abc import Iterable
from dataclasses import dataclass

from heart_operator.plan.gates.verdict import gates_hash
from heart_operator.plan.observed import Observed, RegisteredVersion
from heart_operator.plan.selection.measurements import find_record, is_current, without_outdated
from heart_operator.plan.selection.rejections import find_rejection, is_tagged
from heart_operator.plan.training.triggers import current_trigger, spec_trigger
from heart_operator.plan.versions import (
    Version,
    of_training,
    order,
    serving_version_name,
    trained_versions,
    with_prefix,
)

LATEST = "latest"
UNMEASURABLE = (
    "was not trained by this HeartModel, and one with spec.federation has no dataset to measure it on; set spec.version"
    " to latest or to a version that it has trained"
)


@dataclass(frozen=True, slots=True)
class Selection:
    """`version` is the one to judge and to roll out; `unknown` is one that an evaluation Job has to measure first."""

    version: Version | None = None
    unknown: str = ""
    pinned: bool = False
    """Named by its number: the gate's verdict is recorded and does not block."""
    why: str = ""
    """Why there is none, where a person can do something about it."""


def select_version(observed: Observed) -> Selection:
    wanted = str(observed.model.spec.version)
    if wanted == LATEST:
        return select_latest(observed)
    if observed.registry.error and (going := version_on_its_way(observed)):
        return Selection(going, pinned=bool(observed.model.spec.pinned_version))
    return select_alias(observed, wanted[1:]) if wanted.startswith("@") else select_number(observed, wanted)


def select_alias(observed: Observed, alias: str) -> Selection:
    name = observed.registry.aliases.get(alias)
    if name is None:
        known = ", ".join(sorted(observed.registry.aliases)) or "none"
        return Selection(why=f"the registry has no alias {alias!r} of {observed.model.registry_name} (it has: {known})")
    return select_named(observed, name)


def select_number(observed: Observed, name: str) -> Selection:
    known = known_version(observed, name)
    if known:
        return Selection(known, pinned=True)
    if observed.model.spec.federation and not observed.registry.error:
        return Selection(pinned=True, why=f"version {name} {UNMEASURABLE}")
    if name in observed.registry.versions or observed.registry.error:
        return Selection(unknown=name, pinned=True)
    return Selection(pinned=True, why=f"the registry has no version {name} of {what_it_has(observed)}")


def what_it_has(observed: Observed) -> str:
    """The registered model and its newest version; without one, how to get there."""
    name, versions = observed.model.registry_name, observed.registry.versions
    if versions:
        return f"{name} (newest: {max(versions, key=order)})"
    return f"{name}, nor any other, and none is trained while a number is named; to train one, set it to latest"


def select_named(observed: Observed, name: str) -> Selection:
    """True if the gate can judge the version: without a recorded digest of its evaluation, it has to be evaluated
    first."""
    known, stable = known_version(observed, name), serving_version_name(observed)
    if known and name in (stable, previous_name(observed)):
        return Selection(known)
    measured = known is not None and known.evaluation_sha256 and is_current(observed, known)
    if not measured and observed.model.spec.federation:
        return Selection(why=f"version {name} {UNMEASURABLE}")
    return Selection(known) if measured else Selection(unknown=name)


def select_latest(observed: Observed) -> Selection:
    """The newest version that is not rejected; if it serves already, a newer rejected one, so that it is reported.

    Candidates are the one trained for the current spec and those registered by hand after it. As long as there are
    none, the newest one that is newer than the serving version (an older one must not return because a training
    failed).
    """
    trained = trained_for_spec(observed)
    stable = serving_version_name(observed)
    floor = order(trained.version if trained else stable or "")
    by_hand = [name for name in outside_versions(observed) if order(name) > floor]
    choices = [select_named(observed, name) for name in sorted(by_hand, key=order, reverse=True)]
    if trained:
        choices.append(Selection(trained))
    best = next((choice for choice in choices if not has_rejection(observed, choice)), None)
    serves = best is None or (best.version is not None and best.version.version == stable)
    return next(iter(choices), Selection()) if serves or best is None else best


def outside_versions(observed: Observed) -> list[str]:
    """Versions that no training Job reported, as far as the spec admits them.

    Tags prove nothing: a version that claims a training of today's spec is one of them, until its seal is checked.
    """
    if observed.model.spec.versions_from_outside == "Ignore" or observed.model.spec.federation:
        return []
    reported = {(version.version, version.trigger) for version in trained_versions(observed)}
    return [
        name
        for name, entry in observed.registry.versions.items()
        if is_by_hand(entry) or ((name, entry.trigger) not in reported and is_unconfirmed(observed, entry))
    ]


def is_unconfirmed(observed: Observed, entry: RegisteredVersion) -> bool:
    """True if its tag claims a training of today's spec that has ended without reporting it."""
    spec, trigger = spec_trigger(observed.model), entry.trigger
    if trigger.partition("-")[0] != spec:
        return False
    return trigger != current_trigger(observed) or has_ended(observed, trigger)


def has_ended(observed: Observed, trigger: str) -> bool:
    """Whether a training with this trigger is known to have ended: until then its Job is about to report it."""
    recorded = observed.model.status.training
    if recorded and recorded.trigger == trigger:
        return recorded.phase != "Running"
    return any(version.trigger == trigger for version in trained_versions(observed))


def trained_for_spec(observed: Observed) -> Version | None:
    trained = tuple(trained_versions(observed))
    wanted = current_trigger(observed)
    for version in trained:
        if version.trigger == wanted:
            return version
    stable = serving_version_name(observed)
    newer = [version for version in trained if stable is None or order(version.version) >= order(stable)]
    return max(newer, key=lambda version: order(version.version), default=None)


def is_by_hand(entry: RegisteredVersion) -> bool:
    """True if it does not even claim to be a training's."""
    return not entry.trigger


def has_rejection(observed: Observed, choice: Selection) -> bool:
    version = choice.version or Version(choice.unknown, "")
    standing, today = without_outdated(observed, observed.model.status.rejected), gates_hash(observed.model.spec.gates)
    if find_rejection(standing, version, today):
        return True
    return version.version != serving_version_name(observed) and is_tagged(observed, version, today)


def known_version(observed: Observed, name: str) -> Version | None:
    """A record with a digest from an operator's Job; preferably one with the digest of its evaluation."""
    found = [version for version in own_records(observed, name) if version.version == name and version.digest]
    return max(found, key=lambda version: bool(version.evaluation_sha256), default=None)


def own_records(observed: Observed, name: str) -> Iterable[Version]:
    # What was measured for today's question comes before a Deployment that remembers an older answer.
    status, registered = observed.model.status, observed.registry.versions.get(name)
    measured = find_record(observed, observed.evaluations, status.evaluation, registered) if registered else None
    if measured and measured.phase == "Succeeded":
        yield of_training(measured)
    yield from trained_versions(observed)
    for entry in (status.serving, status.candidate, status.previous, *reversed(status.history)):
        if entry:
            yield Version(entry.version, with_prefix(entry.digest))


def version_on_its_way(observed: Observed) -> Version | None:
    """While the registry is silent, what was chosen before still holds."""
    status = observed.model.status
    entry = status.candidate or status.serving
    return known_version(observed, entry.version) if entry else None


def previous_name(observed: Observed) -> str | None:
    previous = observed.model.status.previous
    return previous.version if previous else None
