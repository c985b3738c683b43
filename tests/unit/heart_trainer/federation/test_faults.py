"""Sites that die, dawdle, lie, refuse and leave: what becomes of the study, who is named, and by when."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from heart_api.contract import Feature
from heart_api.federation import SiteRequest, contract_sha256
from heart_api.training import CrossValidation
from heart_trainer.errors import TrainerError
from heart_trainer.federation.federate import Federation, SitesFailed, run_study
from heart_trainer.federation.messages import Tell, encode, read_tell
from heart_trainer.job_federation import study_of
from heart_trainer.sums.driver import Trained
from tests.support.trainer.federation import (
    FEATURES,
    TARGET,
    FakeFleet,
    SetClock,
    site_request,
    three_sites,
    together,
    training,
)

DEADLINE = 120


def study(federation: Federation) -> Trained:
    federation.join()
    return run_study(study_of(federation.request, federation), federation)[0]


def fails(federation: Federation) -> SitesFailed:
    with pytest.raises(SitesFailed) as failed:
        study(federation)
    assert federation.clock.now() <= 2 * DEADLINE + 30  # type: ignore[operator]
    return failed.value


def states(federation: Federation) -> dict[str, str]:
    return {site.name: site.state for site in federation.results}


@pytest.fixture(scope="module")
def two_sites_alone() -> Trained:
    return study(together(three_sites()[:2])[0])


@pytest.fixture(scope="module")
def undisturbed() -> Trained:
    return study(together(three_sites())[0])


def same(one: Trained, other: Trained) -> bool:
    return np.array_equal(one.final.model.coefficients, other.final.model.coefficients)


def gone(fleet: FakeFleet, at: int) -> Callable[[bytes, int], bytes | None]:
    """Behaviour of site 3: it is killed over its question of this number."""

    def behave(answer: bytes, count: int) -> bytes | None:
        if count < at:
            return answer
        fleet.nodes[3].online = False
        return None

    return behave


def test_a_site_that_never_comes_ends_a_training_that_holds() -> None:
    federation, fleet = together(three_sites())
    fleet.nodes[3].online = False
    error = fails(federation)
    assert (error.reason, error.permanent) == ("SiteMissing", False)
    assert "hospital-03/hospital-03: it did not connect within 120 s" in error.message
    assert states(federation) == {"hospital-01": "Active", "hospital-02": "Active", "hospital-03": "Waiting"}


def test_a_training_that_continues_does_without_it(two_sites_alone: Trained) -> None:
    federation, fleet = together(three_sites(), on_missing_site="Continue")
    fleet.nodes[3].online = False
    assert same(study(federation), two_sites_alone)


@pytest.mark.parametrize("at", [2, 5, 11])
def test_a_site_killed_in_an_exchange_leaves_nothing_behind(at: int, two_sites_alone: Trained) -> None:
    federation, fleet = together(three_sites(), on_missing_site="Continue")
    fleet.nodes[3].behave = gone(fleet, at)
    assert same(study(federation), two_sites_alone)
    assert states(federation)["hospital-03"] == "Offline"
    assert federation.clock.now() < DEADLINE  # given up as soon as it is offline


def test_a_site_killed_while_others_must_not_be_fewer_ends_the_training() -> None:
    federation, fleet = together(three_sites(), on_missing_site="Continue", min_sites=3)
    fleet.nodes[3].behave = gone(fleet, 4)
    error = fails(federation)
    assert error.reason == "TooFewSites"
    assert "2 sites are left, spec.federation.minSites is 3" in error.message


def test_a_training_that_holds_names_the_site_that_was_killed() -> None:
    federation, fleet = together(three_sites())
    fleet.nodes[3].behave = gone(fleet, 4)
    error = fails(federation)
    assert error.reason == "SiteMissing"
    assert [(one.name, one.state) for one in error.sites][-1] == ("hospital-03", "Offline")


@pytest.mark.parametrize("policy", ["Hold", "Continue"])
def test_a_site_that_comes_back_is_asked_again(policy: str, undisturbed: Trained) -> None:
    """Its pod was evicted over a question and started anew, before anybody gave it up."""
    federation, fleet = together(three_sites(), on_missing_site=policy)
    node = fleet.nodes[3]

    def killed_once(answer: bytes, count: int) -> bytes | None:
        if count != 5:
            return answer
        node.restart()
        return None

    node.behave = killed_once
    assert same(study(federation), undisturbed)


def test_a_site_that_is_offline_for_a_minute_is_waited_for_by_a_training_that_holds(undisturbed: Trained) -> None:
    clock = SetClock()
    federation, fleet = together(three_sites(), clock)
    fleet.nodes[3].behave = gone(fleet, 5)
    seen: list[str] = []

    def later(now: float) -> None:
        seen.append(states(federation)["hospital-03"])
        if now >= 60 and not fleet.nodes[3].online:
            fleet.nodes[3].behave = lambda answer, count: answer
            fleet.nodes[3].restart()

    clock.every = later
    assert same(study(federation), undisturbed)
    assert 60 <= clock.time < DEADLINE


def test_a_slow_site_is_late_at_its_deadline() -> None:
    federation, fleet = together(three_sites())
    fleet.nodes[2].behave = lambda answer, count: None if count > 3 else answer
    error = fails(federation)
    assert "hospital-02/hospital-02: it did not answer within 120 s" in error.message
    assert states(federation)["hospital-02"] == "Late"


def test_a_site_killed_after_its_last_answer_is_part_of_the_model(undisturbed: Trained) -> None:
    federation, fleet = together(three_sites())
    assert same(study(federation), undisturbed)
    fleet.nodes[1].online = False
    before = federation.clock.now()
    federation.end()
    assert federation.clock.now() - before <= 20
    assert set(states(federation).values()) == {"Completed"}


def test_a_site_that_withdraws_is_gone_at_once(two_sites_alone: Trained) -> None:
    """Its Job was deleted: it says goodbye, and the carrier knows it no more."""
    federation, fleet = together(three_sites(), on_missing_site="Continue")
    node = fleet.nodes[3]

    def withdraw(answer: bytes, count: int) -> bytes | None:
        if count == 6:
            node.online = False
            return None
        return answer

    node.behave = withdraw
    assert same(study(federation), two_sites_alone)
    assert federation.clock.now() < 20


def edited(answer: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The sums of an answer, changed as an honest site never would."""
    tell, body = read_tell(answer)
    if not body:
        return answer
    arrays = dict(np.load(io.BytesIO(body)))
    change(arrays)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return encode(tell, buffer.getvalue())


def more_rows(arrays: dict[str, Any]) -> None:
    if "hessian" in arrays:
        arrays["rows"] = arrays["rows"] * 50


def more_rows_described(arrays: dict[str, Any]) -> None:
    if "present" in arrays:
        arrays["rows"] = arrays["rows"] + 1000


def nan(arrays: dict[str, Any]) -> None:
    if "gradient" in arrays:
        arrays["gradient"][0, 0] = np.nan


def certain(arrays: dict[str, Any]) -> None:
    if "probability" in arrays and "hessian" not in arrays:
        arrays["probability"] = arrays["rows"].astype(float)


def more_rows_judged(arrays: dict[str, Any]) -> None:
    """Every cell of its scores three times as heavy: the means of their probabilities still fit."""
    if "probability" in arrays and "hessian" not in arrays:
        arrays["rows"], arrays["probability"] = arrays["rows"] * 3, arrays["probability"] * 3


def another_shape(arrays: dict[str, Any]) -> None:
    arrays["rows" if "rows" in arrays else "coarse"] = np.zeros((3, 3), np.int64)


@pytest.mark.parametrize("lie", [more_rows, more_rows_described, more_rows_judged, nan, certain, another_shape])
def test_what_cannot_be_is_not_believed(lie: Callable[[dict[str, Any]], None], two_sites_alone: Trained) -> None:
    federation, fleet = together(three_sites(), on_missing_site="Continue")
    fleet.nodes[3].behave = lambda answer, count: edited(answer, lie)
    assert same(study(federation), two_sites_alone)
    (liar,) = [site for site in federation.results if site.name == "hospital-03"]
    assert liar.state == "Refused"
    assert "not believed" in liar.message


@dataclass(frozen=True)
class Fault:
    """What the third site does. `reason` and `state`: how a training that holds ends, and how the site is left."""

    reason: str
    state: str
    request: Callable[[SiteRequest], SiteRequest] = lambda site: site
    happen: Callable[[FakeFleet], None] = lambda fleet: None


def behaves(behave: Callable[[bytes, int], bytes | None]) -> Callable[[FakeFleet], None]:
    return lambda fleet: setattr(fleet.nodes[3], "behave", behave)


FAULTS = {
    "killed before": Fault("SiteMissing", "Waiting", happen=lambda fleet: setattr(fleet.nodes[3], "online", False)),
    "killed over a question": Fault("SiteMissing", "Offline", happen=lambda fleet: behaves(gone(fleet, 5))(fleet)),
    "slow": Fault("SiteMissing", "Late", happen=behaves(lambda answer, count: answer if count < 4 else None)),
    "lies about rows": Fault("SiteRefused", "Refused", happen=behaves(lambda answer, count: edited(answer, more_rows))),
    "NaN": Fault("SiteRefused", "Refused", happen=behaves(lambda answer, count: edited(answer, nan))),
    "another bundle": Fault(
        "SiteRefused", "Refused", happen=lambda fleet: setattr(fleet.nodes[3], "bundle", f"sha256:{'0' * 64}")
    ),
    "another contract": Fault(
        "ContractMismatch", "Refused", lambda site: site.model_copy(update={"contract_sha256": f"sha256:{'2' * 64}"})
    ),
    "too few rows": Fault("SiteRefused", "Refused", lambda site: site.model_copy(update={"minimum_rows": 1000})),
}


def broken(fault: Fault, on_missing_site: str) -> Federation:
    sites = three_sites()
    sites[2] = fault.request(sites[2])
    federation, fleet = together(sites, on_missing_site=on_missing_site)
    fault.happen(fleet)
    return federation


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_training_that_holds_ends_for_every_fault_and_names_the_site(fault: Fault) -> None:
    federation = broken(fault, "Hold")
    error = fails(federation)
    assert error.reason == fault.reason
    assert "hospital-03/hospital-03" in error.message
    assert {one.name: one.state for one in error.sites}["hospital-03"] == fault.state


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_training_that_continues_has_nothing_of_a_faulty_site_in_its_model(
    fault: Fault, two_sites_alone: Trained
) -> None:
    federation = broken(fault, "Continue")
    assert same(study(federation), two_sites_alone)
    assert states(federation)["hospital-03"] == fault.state
    assert federation.clock.now() <= 2 * DEADLINE + 30


def joins_with_more_rows(answer: bytes, count: int) -> bytes:
    tell, body = read_tell(answer)
    if tell.joined is None:
        return answer
    joined = tell.joined.model_copy(update={"rows": 10 * tell.joined.rows})
    return encode(tell.model_copy(update={"joined": joined}), body)


def test_rows_that_a_site_joins_with_are_those_that_it_describes(two_sites_alone: Trained) -> None:
    federation, fleet = together(three_sites(), on_missing_site="Continue")
    fleet.nodes[3].behave = joins_with_more_rows
    assert same(study(federation), two_sites_alone)
    (liar,) = [site for site in federation.results if site.name == "hospital-03"]
    assert liar.message.endswith("its answer is not believed: rows: describes 300, joined with 3000")


@pytest.mark.parametrize("answer", [b"", b"\n", b"garbage" * 100, b'{"protocol": 9}\n', encode(Tell()), b"{" * 100_000])
def test_what_is_no_answer_is_not_believed(answer: bytes) -> None:
    federation, fleet = together(three_sites())
    fleet.nodes[3].behave = lambda honest, count: answer
    error = fails(federation)
    assert (error.reason, error.permanent) == ("SiteRefused", True)
    assert "hospital-03" in error.message


def test_a_run_with_another_bundle_is_refused_and_said() -> None:
    federation, fleet = together(three_sites())
    fleet.nodes[2].bundle = f"sha256:{'0' * 64}"
    error = fails(federation)
    assert error.reason == "SiteRefused"
    assert "coordinator and site need the same release" in error.message


def test_a_site_that_was_told_of_another_bundle_refuses_this_release() -> None:
    sites = three_sites()
    sites[1] = sites[1].model_copy(update={"bundle_sha256": f"sha256:{'1' * 64}"})
    assert "need the same release" in fails(together(sites)[0]).message


def test_another_contract_is_refused_at_both_ends() -> None:
    sites = three_sites()
    other = (*FEATURES[:-1], Feature(name="ca", type="number", required=False, maximum=2))
    sites[2] = sites[2].model_copy(
        update={"features": other, "contract_sha256": contract_sha256("classification", TARGET, other)}
    )
    error = fails(together(sites)[0])
    assert (error.reason, error.permanent) == ("ContractMismatch", True)
    agreed = three_sites()
    agreed[0] = agreed[0].model_copy(update={"contract_sha256": f"sha256:{'2' * 64}"})
    assert fails(together(agreed)[0]).reason == "ContractMismatch"


def test_a_site_answers_its_own_training_alone() -> None:
    sites = [site.model_copy(update={"trigger": "another"}) for site in three_sites()]
    assert "only the training that it was started for" in fails(together(sites)[0]).message


def test_too_few_rows_are_refused_without_saying_how_many() -> None:
    sites = three_sites()
    sites[1] = site_request("hospital-02", rows=43, minimum_rows=60)
    error = fails(together(sites)[0])
    assert error.reason == "SiteRefused"
    assert "fewer than 60 rows" in error.message
    assert "43" not in error.message


def test_more_folds_than_a_small_site_can_fill_are_refused() -> None:
    sites = [site_request("hospital-01", 400, 1), site_request("hospital-02", 60, 2)]
    federation, _ = together(sites, training=training(cross_validation=CrossValidation(folds=20)))
    assert "a fold has fewer than 5 of its rows" in fails(federation).message


def test_data_that_break_the_contract_are_refused_without_a_word_of_them() -> None:
    sites = three_sites()
    narrow = Feature(name="age", type="number", minimum=18, maximum=50, sensitive=True)
    features = (narrow, *FEATURES[1:])
    sites = [replaced(site, features) for site in sites]
    error = fails(together(sites, features=features)[0])
    assert "the data holder sees why" in error.message
    assert "age" not in error.message


def replaced(site: SiteRequest, features: tuple[Feature, ...]) -> SiteRequest:
    digest = contract_sha256("classification", TARGET, features)
    return site.model_copy(update={"features": features, "contract_sha256": digest})


def test_a_carrier_that_breaks_ends_the_attempt_and_the_job_tries_again() -> None:
    """The SuperLink was restarted: it knows neither sites nor run any more."""
    federation, fleet = together(three_sites())
    honest, sent = fleet.send, []

    def send(node: int, body: bytes, seconds: float) -> str:
        sent.append(node)
        if len(sent) > 12:
            raise TrainerError("TrainingFailed", "the SuperLink does not answer", permanent=False)
        return honest(node, body, seconds)

    fleet.send = send  # type: ignore[method-assign]
    with pytest.raises(TrainerError, match="SuperLink") as failed:
        study(federation)
    assert not failed.value.permanent


def test_sites_with_other_classes_do_not_train_together() -> None:
    federation, fleet = together(three_sites())
    held = fleet.nodes[2].holder.held
    joined = held.joined.model_copy(update={"classes": ("no", "yes")})  # type: ignore[union-attr]
    fleet.nodes[2].holder.held = replace(held, joined=joined)  # type: ignore[arg-type, type-var]
    error = fails(federation)
    assert error.reason == "ContractMismatch"
    assert "name them in labels" in error.message
