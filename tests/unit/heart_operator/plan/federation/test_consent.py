"""Who may be trained where, and what is said where somebody may not."""

from typing import Any

import pytest

from heart_api.federating import Federation, Place, SiteSelector
from heart_api.federationsite import FederationSite
from heart_api.status import SiteConsent
from heart_operator.plan.federation.consent import Refusal, allowance, consent, names, refusal, selects
from heart_operator.plan.observed import ObservedSite
from tests.support.plan.federated import KEY, answered, federated_model, reported, site

MODEL = federated_model()
OTHER = "sha256:" + "0" * 64
CHECKING = "the data of FederationSite north/ward are being checked"


def asked(found: FederationSite) -> SiteConsent:
    return consent(MODEL, ObservedSite(found.place, found))


# --- the spec of the site ------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [{}, {"contractHash": MODEL.contract_hash}])
def test_a_site_consents_to_any_contract_or_to_the_one_it_names(allowed: dict[str, str]) -> None:
    assert refusal(site(allow=[{"model": "clinic/heart"} | allowed]), MODEL) is None


def test_a_model_that_is_not_allowed_gets_nothing() -> None:
    message = "FederationSite north/ward does not allow clinic/heart: its data holder adds it to spec.allow"
    assert refusal(site(allow=[{"model": "clinic/lung"}]), MODEL) == Refusal(False, message)
    assert refusal(site(allow=[]), MODEL) == Refusal(False, message)


def test_another_contract_is_refused_with_the_hash_to_agree_to() -> None:
    assert refusal(site(allow=[{"model": "clinic/heart", "contractHash": OTHER}]), MODEL) == Refusal(
        True,
        f"FederationSite north/ward allows another contract ({OTHER}); if the data holder agrees with today's,"
        f" it is {MODEL.contract_hash}",
    )


@pytest.mark.parametrize("allow", [[{"model": "clinic/heart"}], [], [{"model": "clinic/heart", "contractHash": OTHER}]])
def test_a_suspended_site_says_that_before_anything_else(allow: list[dict[str, str]]) -> None:
    found = refusal(site(suspend=True, allow=allow), MODEL)
    assert found == Refusal(False, "the data holder has suspended FederationSite north/ward")


def test_an_allowance_is_the_models_own_entry() -> None:
    found = site(allow=[{"model": "clinic/lung"}, {"model": "clinic/heart", "contractHash": OTHER}])
    entry = allowance(found, "clinic/heart")
    assert entry
    assert (entry.model, entry.contract_hash) == ("clinic/heart", OTHER)
    assert allowance(found, "clinic/hear") is None


# --- the spec of the model -----------------------------------------------------------------------


def test_a_model_names_sites_by_their_whole_name() -> None:
    wanted = Federation(sites=("south/ward", "north/ward"))
    assert names(wanted, site("north/ward"))
    assert not names(wanted, site("north/clinic"))
    assert not names(wanted, site("west/ward"))
    assert not names(None, site("north/ward"))


def test_a_model_names_sites_by_their_labels() -> None:
    wanted = Federation(selector=SiteSelector(namespaces=("north",), match_labels={"a": "1"}))
    assert names(wanted, site().model_copy(update={"labels": {"a": "1"}}))
    assert not names(wanted, site().model_copy(update={"labels": {"a": "2"}}))
    assert not names(wanted, site())


@pytest.mark.parametrize(
    ("wanted", "labels", "expected"),
    [
        (None, {}, True),
        ({}, {"a": "1"}, True),
        ({"a": "1"}, {"a": "1"}, True),
        ({"a": "1"}, {"a": "1", "b": "2"}, True),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "2"}, True),
        ({"a": "1", "b": "2"}, {"a": "1"}, False),
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": "1"}, {}, False),
    ],
)
def test_a_selector_wants_all_of_its_labels(wanted: Any, labels: dict[str, str], expected: bool) -> None:
    selector = SiteSelector(namespaces=("south", "north"), match_labels=wanted)
    assert selects(selector, Place("north", "ward"), labels) is expected
    assert not selects(selector, Place("west", "ward"), labels), "a site elsewhere never takes part"


# --- can it take part? ---------------------------------------------------------------------------


def test_a_site_that_does_not_exist_is_missing() -> None:
    message = "there is no FederationSite north/ward: ask the holder of its data to create it"
    found = consent(MODEL, ObservedSite(site().place, None))
    assert found == SiteConsent(site="north/ward", state="Missing", message=message)


def test_a_site_that_cannot_be_read_is_missing_for_that_reason() -> None:
    found = consent(MODEL, ObservedSite(site().place, None, "the operator does not watch the namespace north"))
    message = "the operator does not watch the namespace north"
    assert found == SiteConsent(site="north/ward", state="Missing", message=message)


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        ({"suspend": True}, "Rejected"),
        ({"allow": []}, "Rejected"),
        ({"allow": [{"model": "clinic/heart", "contractHash": OTHER}]}, "ContractMismatch"),
    ],
)
def test_a_refusal_is_told_whatever_the_check_found(spec: dict[str, Any], state: str) -> None:
    found = answered(site(**spec), MODEL)
    refused = refusal(found, MODEL)
    assert refused
    assert asked(found) == SiteConsent.model_validate(
        {"site": "north/ward", "state": state, "message": refused.message}
    )


def test_a_site_elsewhere_is_ready_without_a_check() -> None:
    found = asked(site(dataset=None, publicKey=KEY))
    assert found == SiteConsent(site="north/ward", state="Ready", message="it is elsewhere, and dials in by itself")


def test_a_site_is_being_checked_until_todays_contract_was() -> None:
    checking = SiteConsent(site="north/ward", state="Checking", message=CHECKING)
    checked = answered(site(), MODEL)
    assert asked(site()) == checking
    assert asked(checked.model_copy(update={"generation": 2})) == checking, "the spec has changed since"
    lung = MODEL.model_copy(update={"name": "lung"})
    assert asked(answered(site(), lung)) == checking, "another model was checked"
    (entry,) = checked.status.models
    old = checked.status.model_copy(update={"models": (entry.model_copy(update={"contract_hash": OTHER}),)})
    assert asked(checked.model_copy(update={"status": old})) == checking, "another contract was checked"


SEE_STATUS = "the status of the FederationSite says more to the holder of the data"
BREAK = "data of FederationSite north/ward break the contract: "
UNREADABLE = f"the data of FederationSite north/ward cannot be read; {SEE_STATUS}"


@pytest.mark.parametrize(
    ("found", "state", "rows", "message"),
    [
        ("Ready", "Ready", 1200, ""),
        ("ContractMismatch", "ContractMismatch", 1200, f"{BREAK}not in a column alone; {SEE_STATUS}"),
        ("TooFewRows", "Rejected", 1200, "said to the holder"),
        ("CheckFailed", "Rejected", 1200, UNREADABLE),
        ("Checking", "Checking", None, "said to the holder"),
        ("ModelNotFound", "Checking", None, "said to the holder"),
        ("NotNamed", "Checking", None, "said to the holder"),
    ],
)
def test_a_site_answers_with_what_its_check_found(found: str, state: str, rows: int | None, message: str) -> None:
    said = "" if found == "Ready" else "said to the holder"
    assert asked(answered(site(), MODEL, found, said)) == SiteConsent.model_validate(
        {"site": "north/ward", "state": state, "rows": rows, "message": message}
    )


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["a"], "a: bad"),
        (["a", "b", "c"], "a: bad; b: bad; c: bad"),
        (["a", "b", "c", "d"], f"a: bad; b: bad; c: bad; {SEE_STATUS}"),
        (["a", ""], f"a: bad; {SEE_STATUS}"),
        ([""], f"not in a column alone; {SEE_STATUS}"),
    ],
)
def test_the_models_owner_is_told_the_contracts_columns_and_nothing_of_the_file(
    columns: list[str], expected: str
) -> None:
    """A file's name, and the names of the holder's other columns, stay in the holder's namespace."""
    broken = answered(site(), MODEL, "ContractMismatch", "smith.parquet: no column a. It has: diagnosis")
    told = ["bad" if column else "smith.parquet is damaged" for column in columns]
    problems = [
        {"model": "clinic/lung", "column": "x", "message": "another model's"},
        *({"model": "clinic/heart", "column": c, "message": m} for c, m in zip(columns, told, strict=True)),
    ]
    found = reported(broken, observedGeneration=1, models=broken.status.models, problems=problems)
    assert asked(found).message == BREAK + expected


def test_the_entry_of_the_model_counts_and_no_other() -> None:
    entries = [
        {"model": "clinic/lung", "contractHash": MODEL.contract_hash, "state": "CheckFailed", "message": "no file"},
        {"model": "clinic/heart", "contractHash": MODEL.contract_hash, "state": "Ready"},
    ]
    assert asked(reported(site(), observedGeneration=1, rows=90, models=entries)).state == "Ready"
