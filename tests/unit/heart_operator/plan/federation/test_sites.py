"""Which sites take part in a model's training, and why none starts."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.federating import place_of
from heart_api.federation import Progress
from heart_api.handover import SiteResult
from heart_api.status import TrainingSite
from heart_operator.plan.federation.sites import SiteWait, consents, followed, participants, rounded, site_wait
from heart_operator.plan.observed import Observed, ObservedSite
from tests.support.plan.federated import KEY, answered, federated_model, site
from tests.support.plan.world import World, heart_model

MODEL = federated_model()
READY = {name: answered(site(name), MODEL) for name in ("north/ward", "south/ward", "west/ward")}
SUSPENDED = "the data holder has suspended FederationSite south/ward"
CHECKING = "the data of FederationSite west/ward are being checked"


def seen(model: Any = MODEL, progress: Progress | None = None, **sites: Any) -> Observed:
    """The model with its three sites, ready unless told otherwise (by namespace; None: there is none)."""
    found = READY | {f"{namespace}/ward": entry for namespace, entry in sites.items()}
    backwards = tuple(ObservedSite(place_of(name), found[name]) for name in sorted(found, reverse=True))
    return replace(World(model=model).observe(), sites=backwards, progress=progress)


# --- why none starts -----------------------------------------------------------------------------


def test_consents_are_in_the_order_of_the_sites_names() -> None:
    found = consents(seen(south=site("south/ward"), west=None))
    assert [(entry.site, entry.state) for entry in found] == [
        ("north/ward", "Ready"),
        ("south/ward", "Checking"),
        ("west/ward", "Missing"),
    ]


def test_a_training_starts_where_all_sites_are_ready() -> None:
    assert site_wait(seen()) is None


def test_a_model_with_a_dataset_of_its_own_waits_for_no_site() -> None:
    assert site_wait(seen(heart_model(), south=None)) is None


MISMATCH = (
    "data of FederationSite south/ward break the contract: not in a column alone;"
    " the status of the FederationSite says more to the holder of the data"
)


@pytest.mark.parametrize(
    ("south", "reason", "message"),
    [
        (
            None,
            "SiteMissing",
            "there is no FederationSite south/ward: ask the holder of its data to create it",
        ),
        (site("south/ward", suspend=True), "SiteRefused", SUSPENDED),
        (answered(site("south/ward"), MODEL, "TooFewRows", "too few"), "SiteRefused", "too few"),
        (answered(site("south/ward"), MODEL, "ContractMismatch", "age is text"), "ContractMismatch", MISMATCH),
    ],
)
def test_one_site_holds_the_training(south: Any, reason: str, message: str) -> None:
    expected = SiteWait(reason, f"{message}. No training starts without (onMissingSite is Hold)")
    assert site_wait(seen(south=south)) == expected
    assert site_wait(seen(south=south, west=site("west/ward"))) == expected, "a check changes nothing of that"


def test_the_first_of_several_gives_the_reason_and_all_are_told() -> None:
    found = site_wait(seen(south=site("south/ward", suspend=True), west=None))
    west = "there is no FederationSite west/ward: ask the holder of its data to create it"
    assert found == SiteWait("SiteRefused", f"{SUSPENDED}; {west}. No training starts without (onMissingSite is Hold)")


@pytest.mark.parametrize("policy", ["Hold", "Continue"])
def test_a_training_waits_for_checks(policy: str) -> None:
    model = federated_model(onMissingSite=policy)
    assert site_wait(seen(model, west=site("west/ward"))) == SiteWait("WaitingForSites", CHECKING)


def test_a_training_that_continues_without_a_site_still_waits_for_a_check() -> None:
    model = federated_model(onMissingSite="Continue")
    south = site("south/ward", suspend=True)
    north = "the data of FederationSite north/ward are being checked"
    assert site_wait(seen(model, south=south, west=site("west/ward"))) == SiteWait("WaitingForSites", CHECKING)
    both = site_wait(seen(model, north=site("north/ward"), south=south, west=site("west/ward")))
    assert both == SiteWait("WaitingForSites", f"{north}; {CHECKING}")


@pytest.mark.parametrize("least", [1, 2])
def test_enough_sites_train_without_the_others(least: int) -> None:
    model = federated_model(onMissingSite="Continue", minSites=least)
    assert site_wait(seen(model, south=site("south/ward", suspend=True))) is None


def test_too_few_sites_are_counted_with_what_the_others_lack() -> None:
    model = federated_model(onMissingSite="Continue", minSites=3)
    message = f"2 of at least 3 sites can take part (minSites): {SUSPENDED}"
    assert site_wait(seen(model, south=site("south/ward", suspend=True))) == SiteWait("TooFewSites", message)


def test_a_selector_that_finds_too_few_sites_says_so() -> None:
    model = federated_model(sites=None, selector={"namespaces": ["north", "south", "west"]}, minSites=4)
    message = "3 of at least 4 sites can take part (minSites); spec.federation selects no more"
    assert site_wait(seen(model)) == SiteWait("TooFewSites", message)


# --- who takes part ------------------------------------------------------------------------------


def test_the_ready_sites_take_part_with_the_keys_and_bounds_of_the_start() -> None:
    north = answered(site("north/ward", minimumRows=70, minimumCell=7), MODEL)
    west = site("west/ward", dataset=None, publicKey=f"{KEY} west")
    found = participants(seen(north=north, south=site("south/ward"), west=west))
    assert found == (
        TrainingSite(site="north/ward", uid="uid-north", public_key=KEY, minimum_rows=70, minimum_cell=7, rows=1200),
        TrainingSite(
            site="west/ward", uid="uid-west", public_key=f"{KEY} west", minimum_rows=50, minimum_cell=10, rows=None
        ),
    )


def test_nobody_takes_part_in_the_training_of_a_models_own_dataset() -> None:
    assert participants(seen(heart_model())) is None
    assert participants(seen(north=None, south=None, west=None)) == ()


# --- a running training --------------------------------------------------------------------------

PARTS = participants(seen()) or ()


def result(namespace: str = "north", **changes: Any) -> SiteResult:
    values = {
        "namespace": namespace,
        "name": "ward",
        "state": "Active",
        "rows": 437,
        "exchanges": 3,
        "seconds": 1.5,
        "received_bytes": 4096,
        "last_seen": "2026-01-01T00:01:00Z",
        "message": "it answers slowly",
    }
    return SiteResult.model_validate(values | changes)


def told(*results: SiteResult) -> dict[str, TrainingSite]:
    found = followed(seen(progress=Progress(sites=results)), PARTS)
    assert found
    assert [entry.site for entry in found] == [entry.site for entry in PARTS]
    return {entry.site: entry for entry in found}


def test_a_site_is_as_the_coordinator_last_saw_it() -> None:
    found = told(result())
    assert found["north/ward"] == PARTS[0].model_copy(
        update={
            "state": "Active",
            "rows": 430,
            "exchanges": 3,
            "seconds": 1.5,
            "received_bytes": 4096,
            "last_seen": "2026-01-01T00:01:00Z",
            "message": "it answers slowly",
        }
    )
    assert (found["south/ward"], found["west/ward"]) == PARTS[1:], "of the others nothing is known yet"


@pytest.mark.parametrize("state", ["Waiting", "Active", "Offline", "Late", "Completed"])
def test_the_coordinators_states_are_the_statuss(state: str) -> None:
    assert told(result(state=state))["north/ward"].state == state


def test_a_site_that_refuses_is_rejected() -> None:
    found = told(result(state="Refused", message="Too few rows"))["north/ward"]
    assert (found.state, found.message) == ("Rejected", "Too few rows")


def test_a_site_that_has_not_counted_yet_keeps_the_rows_of_its_check() -> None:
    assert told(result(rows=0))["north/ward"].rows == 1200
    assert told(result(rows=7))["north/ward"].rows == 7


def test_without_news_of_the_coordinator_the_sites_stay_as_they_were() -> None:
    assert followed(seen(), PARTS) == PARTS
    assert followed(seen(), None) is None
    assert followed(seen(), ()) == ()


@pytest.mark.parametrize("north", [None, READY["north/ward"].model_copy(update={"uid": "another"})])
def test_a_site_that_was_deleted_is_withdrawn_even_where_it_is_made_anew(north: Any) -> None:
    found = followed(seen(progress=Progress(sites=(result(),)), north=north), PARTS)
    assert found
    assert found[0].state == "Withdrawn"
    assert found[0].message == "FederationSite north/ward was deleted during the training"
    assert (found[0].exchanges, found[0].rows) == (3, 430), "what it had answered is kept"
    assert found[1:] == PARTS[1:]


def test_a_site_that_no_model_names_any_more_is_withdrawn() -> None:
    found = followed(replace(seen(), sites=()), PARTS[:1])
    assert found
    assert found[0].message == "FederationSite north/ward was deleted during the training"


def test_a_site_whose_holder_consents_no_more_is_withdrawn_with_the_reason() -> None:
    found = followed(seen(south=site("south/ward", suspend=True)), PARTS)
    assert found
    assert [entry.state for entry in found] == ["Waiting", "Withdrawn", "Waiting"]
    assert found[1].message == SUSPENDED


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(0, 0), (7, 7), (20, 20), (99, 99), (100, 100), (109, 100), (110, 110), (437, 430), (1299, 1200), (99999, 99000)],
)
def test_a_count_keeps_two_digits(rows: int, expected: int) -> None:
    assert rounded(rows) == expected
    assert isinstance(rounded(rows), int)
