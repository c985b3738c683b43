"""Which version spec.version selects: by number, by alias, as the latest, and while the registry is silent."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.heartmodel import HeartModelStatus
from heart_api.kube.values import VersionDeployment
from heart_operator.plan.observed import Observed, RegisteredVersion, Registry
from heart_operator.plan.selection.selection import Selection, select_version
from heart_operator.plan.training.triggers import spec_trigger
from heart_operator.plan.versions import Version
from tests.support.plan.federated import federated_model
from tests.support.plan.world import MONITORING, PROFILE, START, heart_model, sha

SINCE = "2026-01-01T11:00:00Z"
SERVING = {"version": "1", "digest": sha("1"), "since": SINCE}
CANDIDATE = {"version": "2", "digest": sha("2"), "since": SINCE}
PREVIOUS = {"version": "2", "digest": sha("2"), "warm_until": SINCE}
TRIGGER = spec_trigger(heart_model())


def registered(version: str, trigger: str = "", **more: Any) -> RegisteredVersion:
    return RegisteredVersion(version, "r", trigger, sha(version), **more)


def deployment(version: str, trigger: str = "t", evaluation: str = "e") -> VersionDeployment:
    return VersionDeployment(
        name=f"heart-v{version}",
        uid="u",
        version=version,
        digest=sha(version),
        trigger=trigger,
        run_id="r",
        created=START,
        replicas=1,
        ready=1,
        up_to_date=True,
        evaluation_sha256=evaluation,
    )


def known(version: str, trigger: str = "t", evaluation: str = "e") -> Version:
    return Version(version, sha(version), trigger, "r" if trigger else "", evaluation)


def observed(
    spec: str | dict[str, Any] = "latest",
    *versions: RegisteredVersion,
    deployments: tuple[VersionDeployment, ...] = (),
    registry: dict[str, Any] | None = None,
    **status: Any,
) -> Observed:
    """The registry has these versions; `spec`: spec.version, or the fields to change."""
    found = Registry(versions={each.version: each for each in versions}, **(registry or {}))
    changes = spec if isinstance(spec, dict) else {"version": spec}
    model = heart_model(changes, status=HeartModelStatus.model_validate(status))
    return Observed(model, PROFILE, ("default",), (), deployments, {}, found, MONITORING)


# --- a number ------------------------------------------------------------------------------------


def test_a_known_number_is_pinned() -> None:
    seen = observed("2", registered("2"), deployments=(deployment("1"), deployment("2")))
    assert select_version(seen) == Selection(known("2"), pinned=True)


def test_a_number_that_the_registry_alone_knows_is_measured_first() -> None:
    assert select_version(observed("2", registered("2"))) == Selection(unknown="2", pinned=True)


def test_a_number_is_measured_when_the_registry_can_be_read_again() -> None:
    seen = observed("2", registry={"error": "no connection"})
    assert select_version(seen) == Selection(unknown="2", pinned=True)


def test_a_number_that_does_not_exist_is_named_with_the_newest() -> None:
    why = "the registry has no version 11 of clinic.heart (newest: 10)"
    assert select_version(observed("11", registered("9"), registered("10"))) == Selection(pinned=True, why=why)


def test_a_number_in_an_empty_registry_says_how_a_version_comes_there() -> None:
    why = (
        "the registry has no version 11 of clinic.heart, nor any other, and none is trained while a number is named; to"
        " train one, set it to latest"
    )
    assert select_version(observed("11")) == Selection(pinned=True, why=why)


# --- an alias ------------------------------------------------------------------------------------


def test_an_alias_selects_its_version_which_the_gate_judges() -> None:
    seen = observed("@prod", registered("2"), registry={"aliases": {"prod": "2"}}, deployments=(deployment("2"),))
    assert select_version(seen) == Selection(known("2"))


@pytest.mark.parametrize(("aliases", "shown"), [({}, "none"), ({"b": "1", "a": "2"}, "a, b")])
def test_an_alias_that_does_not_exist_is_named_with_those_that_do(aliases: dict[str, str], shown: str) -> None:
    why = f"the registry has no alias 'prod' of clinic.heart (it has: {shown})"
    assert select_version(observed("@prod", registry={"aliases": aliases})) == Selection(why=why)


def test_a_version_without_an_evaluation_is_measured_first() -> None:
    aliases = {"aliases": {"prod": "2"}}
    seen = observed("@prod", registered("2"), registry=aliases, deployments=(deployment("2", evaluation=""),))
    assert select_version(seen) == Selection(unknown="2")
    assert select_version(observed("@prod", registered("2"), registry=aliases)) == Selection(unknown="2")


@pytest.mark.parametrize("status", [{"serving": SERVING | CANDIDATE}, {"previous": PREVIOUS}])
def test_a_version_that_served_needs_no_measurement(status: dict[str, Any]) -> None:
    aliases = {"aliases": {"prod": "2"}}
    seen = observed("@prod", registered("2"), registry=aliases, **status)
    assert select_version(seen) == Selection(Version("2", sha("2")))


# --- a federated model, which has no data to measure with ----------------------------------------

UNMEASURABLE = (
    "version 2 was not trained by this HeartModel, and one with spec.federation has no dataset to measure it on; set"
    " spec.version to latest or to a version that it has trained"
)


def federated(wanted: str, **changes: Any) -> Observed:
    seen = observed(wanted, registered("2"), registry={"aliases": {"prod": "2"}} | changes)
    spec = federated_model().spec.model_copy(update={"version": wanted})
    return replace(seen, model=seen.model.model_copy(update={"spec": spec}))


def test_a_version_from_outside_cannot_serve_a_federated_model() -> None:
    assert select_version(federated("2")) == Selection(pinned=True, why=UNMEASURABLE)
    assert select_version(federated("@prod")) == Selection(why=UNMEASURABLE)


def test_what_a_federated_model_has_trained_is_known_once_the_registry_answers() -> None:
    assert select_version(federated("2", error="no connection")) == Selection(unknown="2", pinned=True)
    ours = replace(federated("2"), deployments=(deployment("2", TRIGGER),))
    assert select_version(ours) == Selection(known("2", TRIGGER), pinned=True)
    named = replace(federated("@prod"), deployments=(deployment("2", TRIGGER),))
    assert select_version(named) == Selection(known("2", TRIGGER))


# --- while the registry is silent ----------------------------------------------------------------

SILENT = {"error": "no connection"}


@pytest.mark.parametrize(("wanted", "pinned"), [("@prod", False), ("2", True)])
def test_a_candidate_stays_the_choice(wanted: str, pinned: bool) -> None:
    seen = observed(wanted, registry=SILENT, candidate=CANDIDATE, serving=SERVING)
    assert select_version(seen) == Selection(Version("2", sha("2")), pinned=pinned)


def test_without_a_candidate_what_serves_stays_the_choice() -> None:
    assert select_version(observed("@prod", registry=SILENT, serving=SERVING)) == Selection(Version("1", sha("1")))


def test_an_alias_is_unknown_when_nothing_was_chosen_before() -> None:
    assert select_version(observed("@prod", registry=SILENT)).why.startswith("the registry has no alias 'prod'")


# --- latest: versions that no training reported -----------------------------------------------------

ADOPT = {"versionsFromOutside": "Adopt"}


def claims(status: dict[str, Any], *deployments: VersionDeployment, trigger: str = TRIGGER) -> Selection:
    """Version 2 claims a training of today's spec in its tag."""
    running = (deployment("1"), *deployments)
    return select_version(observed(ADOPT, registered("2", trigger), deployments=running, serving=SERVING, **status))


def recorded(phase: str, trigger: str = TRIGGER) -> dict[str, Any]:
    return {"training": {"job": "j", "trigger": trigger, "phase": phase}}


def test_a_claim_is_checked_when_its_training_has_ended_without_reporting_it() -> None:
    assert claims(recorded("Failed")) == Selection(unknown="2")


def test_a_claim_waits_for_the_report_of_its_training() -> None:
    assert claims(recorded("Running")) == Selection(known("1"))


def test_a_claim_waits_while_nothing_is_known_of_its_training() -> None:
    assert claims({}) == Selection(known("1"))


def test_a_claim_is_checked_when_its_training_has_reported_another_version() -> None:
    seen = observed(ADOPT, registered("4", TRIGGER), deployments=(deployment("3", trigger=TRIGGER),))
    assert select_version(seen) == Selection(unknown="4")


def test_a_claim_of_a_retraining_that_nobody_asks_for_is_checked() -> None:
    assert claims({}, trigger=f"{TRIGGER}-0badc0de") == Selection(unknown="2")


def test_a_claim_of_another_spec_is_passed_over() -> None:
    assert claims({}, trigger="0badc0de") == Selection(known("1"))
