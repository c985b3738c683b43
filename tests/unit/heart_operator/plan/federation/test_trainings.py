"""Trainings at sites: when they start, what holds them, and what a withdrawn consent means."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from heart_api.federation import Progress, SiteFailure, SiteProblem
from heart_api.handover import SiteResult, TrainingFailure
from heart_api.heartmodel import HeartModelSpec
from heart_api.kube.values import Manifest
from heart_operator.plan.observed import Observed
from tests.support.plan.federated import KEY, SITES, FederatedWorld, SiteWorld, federated_spec, federated_world, site

NORTH, SOUTH, WEST = SITES


def test_a_training_starts_once_every_site_consents_and_its_data_are_checked() -> None:
    world = federated_world(checked=False)
    assert world.jobs == {}
    assert world.condition("Trained") == ("Unknown", "WaitingForSites")
    assert {entry.state for entry in world.model.status.sites or ()} == {"Checking"}
    world.answer_checks(rows=1234)
    training = world.model.status.training
    assert training
    assert [entry.site for entry in training.sites or ()] == sorted(SITES)
    assert {(entry.public_key, entry.rows) for entry in training.sites or ()} == {(KEY, 1200)}, "the count is rounded"
    assert all(found.running == ["clinic/heart"] for found in world.sites.values())


def test_a_trained_version_serves_and_the_sites_jobs_end_by_themselves() -> None:
    world = federated_world()
    world.finish_job()
    world.rest()
    assert all(found.running for found in world.sites.values()), "they are given time to end"
    for name in SITES:
        world.end_part(name)
    world.rest()
    world.start_pods()
    world.rest()
    assert world.model.status.serving
    assert {found.site.status.trainings[0].phase for found in world.sites.values()} == {"Succeeded"}
    assert {found.site.status.trainings[0].message for found in world.sites.values()} == {"8 exchanges answered"}


def test_a_job_that_outlives_its_training_is_removed() -> None:
    world = federated_world()
    world.finish_job()
    world.rest()
    world.pass_time(61)
    world.rest()
    assert not any(found.running for found in world.sites.values())
    assert {found.site.status.trainings[0].phase for found in world.sites.values()} == {"Failed"}


def changed_contract(world: Any) -> None:
    world.merge_spec({"features": [{"name": "age", "type": "number"}, {"name": "weight", "type": "number"}]})


MISSING = {
    "no such site": (lambda world: world.sites.pop(NORTH), "SiteMissing"),
    "suspended": (lambda world: world.sites[NORTH].change(suspend=True), "SiteRefused"),
    "not allowed": (lambda world: world.sites[NORTH].change(allow=[{"model": "clinic/other"}]), "SiteRefused"),
    "nothing allowed": (lambda world: world.sites[NORTH].change(allow=[]), "SiteRefused"),
    "a namesake elsewhere": (lambda world: world.sites[NORTH].change(allow=[{"model": "evil/heart"}]), "SiteRefused"),
    "another contract": (
        lambda world: world.sites[NORTH].change(
            allow=[{"model": "clinic/heart", "contractHash": "sha256:" + "0" * 64}]
        ),
        "ContractMismatch",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_without_a_site_nothing_is_trained_and_the_reason_says_why(name: str) -> None:
    change, reason = MISSING[name]
    world = federated_world(checked=False)
    change(world)
    world.answer_checks()
    assert world.jobs == {}
    assert world.condition("Trained") == ("False", reason)
    assert world.condition("Progressing") == ("False", reason)
    assert NORTH in world.message("Trained")
    assert not any(found.running for found in world.sites.values())


@pytest.mark.parametrize("name", MISSING)
def test_the_others_are_trained_where_the_model_says_so(name: str) -> None:
    world = federated_world(checked=False, onMissingSite="Continue")
    MISSING[name][0](world)
    world.answer_checks()
    training = world.model.status.training
    assert training
    assert [entry.site for entry in training.sites or ()] == [SOUTH, WEST]
    assert NORTH not in world.sites or world.sites[NORTH].running == []


def test_too_few_sites_are_no_federation() -> None:
    world = federated_world(checked=False, onMissingSite="Continue", minSites=3)
    world.sites[NORTH].change(suspend=True)
    world.answer_checks()
    assert world.jobs == {}
    assert world.condition("Trained") == ("False", "TooFewSites")
    assert "2 of at least 3" in world.message("Trained")


def test_a_broken_contract_is_named_by_column() -> None:
    world = federated_world(checked=False)
    problem = SiteProblem(model="clinic/heart", column="age", message="12 cells are no numbers")
    world.answer_checks(problems={SOUTH: problem})
    assert world.condition("Trained") == ("False", "ContractMismatch")
    assert "age: 12 cells are no numbers" in world.message("Trained")
    status = world.sites[SOUTH].site.status
    assert [(entry.column, entry.message) for entry in status.problems] == [("age", "12 cells are no numbers")]
    assert world.sites[SOUTH].condition("Ready") == ("False", "ContractMismatch")
    assert world.sites[NORTH].condition("Ready") == ("True", "Ready")


def test_a_small_site_gives_nothing() -> None:
    world = federated_world(checked=False)
    world.answer_checks(rows=49)
    assert world.condition("Trained") == ("False", "SiteRefused")
    assert world.sites[NORTH].condition("Ready") == ("False", "TooFewRows")
    assert "minimumRows" in world.message("Trained")


def test_data_that_cannot_be_read_are_checked_again_once_the_job_is_gone() -> None:
    world = federated_world(checked=False)
    world.fail_check(NORTH)
    found = world.sites[NORTH]
    assert found.condition("Checked") == ("False", "CheckFailed")
    assert "no such file" in (found.site.status.last_error or "")
    assert len(found.checks) == 1, "it is not repeated by itself"
    found.checks.clear()
    world.rest()
    assert len(found.checks) == 1
    world.answer_checks()
    assert found.site.status.last_error is None
    assert world.running_job()


def test_a_changed_contract_is_checked_before_it_is_trained() -> None:
    world = federated_world()
    world.finish_job()
    world.rest()
    changed_contract(world)
    world.rest()
    assert world.running_job() is None
    assert world.condition("Trained") == ("Unknown", "WaitingForSites")
    assert all(len(found.checks) == 2 for found in world.sites.values())
    world.answer_checks()
    assert world.running_job()


def test_a_contract_that_the_holder_did_not_agree_to_gets_nothing() -> None:
    world = federated_world(checked=False)
    agreed = world.model.contract_hash
    world.sites[NORTH].change(allow=[{"model": "clinic/heart", "contractHash": agreed}])
    world.answer_checks()
    assert world.running_job()
    changed_contract(world)
    world.answer_checks()
    assert world.sites[NORTH].running == []
    assert world.condition("Trained") == ("False", "ContractMismatch")
    assert world.model.contract_hash in world.message("Trained"), "the holder can copy the new one"


WITHDRAWN = {name: change for name, (change, _) in MISSING.items() if name != "no such site"}


@pytest.mark.parametrize("name", WITHDRAWN)
def test_withdrawn_consent_ends_the_sites_job_in_the_middle(name: str) -> None:
    world = federated_world()
    WITHDRAWN[name](world)
    world.rest()
    found = world.sites[NORTH]
    assert found.running == []
    assert found.site.status.trainings[0].phase == "Withdrawn"
    assert found.events.count("ConsentWithdrawn") == 1
    assert world.sites[SOUTH].running == ["clinic/heart"], "the others are not concerned"
    entry = next(entry for entry in world.model.status.training.sites if entry.site == NORTH)
    assert entry.state == "Withdrawn"
    assert NORTH in entry.message


def test_a_deleted_site_is_withdrawn_and_one_made_anew_does_not_join_in_the_middle() -> None:
    world = federated_world()
    del world.sites[NORTH]
    world.rest()
    state = {entry.site: entry.state for entry in world.model.status.training.sites}
    assert state[NORTH] == "Withdrawn"
    world.sites[NORTH] = SiteWorld(site(NORTH).model_copy(update={"uid": "another"}))
    world.answer_checks()
    assert world.sites[NORTH].running == []


def test_a_job_that_somebody_deleted_is_made_again_while_its_training_runs() -> None:
    world = federated_world()
    (name,) = world.sites[NORTH].parts
    world.sites[NORTH].parts.clear()
    world.rest()
    assert list(world.sites[NORTH].parts) == [name]


def test_a_part_that_failed_is_not_repeated_in_the_same_training() -> None:
    world = federated_world()
    world.end_part(NORTH, SiteFailure(reason="BundleMismatch", message="another release"))
    world.sites[NORTH].parts.clear()
    world.rest()
    assert world.sites[NORTH].parts == {}
    assert world.sites[NORTH].site.status.last_error == "another release"


def test_sites_wait_until_the_coordinator_has_said_who_it_is() -> None:
    world = federated_world(checked=False)
    identity, world.identity = world.identity, None
    world.answer_checks()
    assert world.running_job()
    assert not any(found.running for found in world.sites.values())
    world.identity = identity
    world.rest()
    assert all(found.running for found in world.sites.values())


def test_the_coordinators_view_is_in_the_status_and_survives_the_end() -> None:
    world = federated_world()
    seen = SiteResult(
        namespace="north", name="ward", state="Active", rows=437, exchanges=3, last_seen="2026-01-01T00:01:00Z"
    )
    world.progress = Progress(exchanges=3, sites=(seen,))
    world.rest()
    first = world.model.status.training.sites[0]
    assert (first.state, first.exchanges, first.rows) == ("Active", 3, 430)
    lost = seen.model_copy(update={"state": "Offline", "exchanges": 4})
    failure = TrainingFailure(reason="SiteMissing", message="north/ward is offline", sites=(lost,))
    world.fail_job(failure)
    world.rest()
    ended = world.model.status.training
    assert (ended.phase, ended.reason, ended.sites[0].state) == ("Failed", "SiteMissing", "Offline")
    assert world.condition("Trained") == ("False", "SiteMissing")


def test_a_lost_status_repeats_no_training() -> None:
    world = federated_world()
    for found in world.sites.values():
        found.site = found.site.model_copy(update={"status": type(found.site.status)()})
    jobs = set(world.jobs)
    world.rest()
    world.answer_checks()
    assert set(world.jobs) == jobs
    assert all(len(found.parts) == 1 for found in world.sites.values())


def test_a_site_elsewhere_has_no_job_here_and_takes_part() -> None:
    world = federated_world(checked=False)
    world.sites[WEST] = SiteWorld(site(WEST, publicKey=KEY, dataset=None))
    world.answer_checks()
    assert world.sites[WEST].checks == {}
    assert world.sites[WEST].children == {}
    assert world.sites[WEST].condition("Ready") == ("True", "Elsewhere")
    entry = next(entry for entry in world.model.status.training.sites if entry.site == WEST)
    assert entry.public_key == KEY
    assert world.sites[WEST].running == []


def test_a_model_that_does_not_name_the_site_gets_nothing_from_it() -> None:
    world = federated_world(checked=False)
    world.sites["east/ward"] = SiteWorld(site("east/ward"))
    world.answer_checks()
    assert world.sites["east/ward"].checks == {}, "its data are not even read"
    assert world.sites["east/ward"].condition("Ready") == ("False", "WaitingForModel")


def test_a_profile_without_an_image_starts_nothing() -> None:
    world = federated_world(checked=False)
    assert world.profile
    world.profile = world.profile.model_copy(
        update={"images": world.profile.images.model_copy(update={"federation": None})}
    )
    world.rest()
    assert world.condition("Progressing") == ("False", "InvalidSpec")
    assert "images.federation" in world.message("Progressing")
    assert world.sites[NORTH].condition("Ready") == ("False", "InvalidSpec")


def containers(job: Manifest) -> dict[str, Manifest]:
    pod = job["spec"]["template"]["spec"]
    return {entry["name"]: entry for entry in (*pod.get("initContainers", ()), *pod["containers"])}


def test_a_sites_pod_has_its_own_data_and_nothing_of_the_registry() -> None:
    world = federated_world()
    world.sites[NORTH].parts.clear()
    world.sites[NORTH].site = world.sites[NORTH].site.model_copy(
        update={"status": world.sites[NORTH].site.status.model_copy(update={"trainings": ()})}
    )
    (job,) = world.plan_site(NORTH).create
    (container,) = containers(job).values()
    assert job["metadata"]["ownerReferences"][0]["kind"] == "FederationSite"
    assert container["image"] == "federation:1"
    assert [entry["secretRef"]["name"] for entry in container["envFrom"]] == ["heartops-runtime"]
    assert not any("MLFLOW" in entry["name"] for entry in container["env"])
    assert job["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_a_selector_takes_only_sites_of_the_namespaces_it_names() -> None:
    selector = {"namespaces": ["north", "south"], "matchLabels": {"ward": "heart"}}
    world = federated_world(checked=False, sites=None, selector=selector)
    for name in (NORTH, SOUTH, WEST):
        found = world.sites[name]
        found.site = found.site.model_copy(update={"labels": {"ward": "heart"}})
    observed = world.observe()
    chosen = replace(observed, sites=tuple(entry for entry in observed.sites if str(entry.place) != WEST))
    assert {entry.place.namespace for entry in chosen.sites} == {"north", "south"}
    world.answer_checks()
    assert world.sites[WEST].condition("Ready") == ("False", "WaitingForModel")
    assert world.sites[WEST].running == []


def test_receivers_hear_which_sites_a_training_is_made_from() -> None:
    """By name alone: an event says neither rows nor where the data are."""

    class Told(FederatedWorld):
        def observe(self) -> Observed:
            return replace(super().observe(), destinations=("openlineage",))

    quiet = federated_world(checked=False)
    world = Told(model=quiet.model, profile=quiet.profile, sites=quiet.sites)
    world.answer_checks()
    sites = [SiteResult(namespace=n.partition("/")[0], name="ward", state="Completed", rows=400) for n in SITES[:2]]
    lost = SiteResult(namespace="west", name="ward", state="Offline")
    world.fail_job(TrainingFailure(reason="SiteMissing", message="west", sites=(*sites, lost)))
    world.rest()
    outbox = world.model.status.outbox
    assert outbox
    heard = {entry.type: entry.data for entry in outbox.entries}
    assert heard["training-started"]["sites"] == ",".join(sorted(SITES))
    assert heard["training-failed"]["sites"] == "north/ward,south/ward"
    assert not {"400", "rows", "pvc://cohort/rows.csv"} & {
        *heard["training-failed"],
        *heard["training-failed"].values(),
    }


def test_a_federation_has_two_classes_and_says_so_before_anything_is_read() -> None:
    spec = federated_spec() | {"target": {"name": "num", "labels": {"0": "none", "1": "mild", "2": "severe"}}}
    with pytest.raises(ValidationError, match="a federation trains two classes"):
        HeartModelSpec.model_validate(spec)
