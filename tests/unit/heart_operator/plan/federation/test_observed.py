"""Which models a site consents to."""

from heart_operator.plan.federation.observed import SiteObserved
from tests.support.plan.federated import FEDERATED, federated_model, site, watched

OTHER = "sha256:" + "0" * 64
NAMES = ("lung", "heart", "eye")
MODELS = tuple(federated_model().model_copy(update={"name": name}) for name in NAMES)
ALLOW = [{"model": f"clinic/{name}"} for name in NAMES]


def consenting(found: SiteObserved) -> list[str]:
    return [model.name for model in found.consenting]


def test_models_are_in_the_order_of_their_names() -> None:
    assert consenting(watched(site(allow=ALLOW), *MODELS)) == ["eye", "heart", "lung"]


def test_a_model_is_allowed_with_its_contract_and_wants_the_site() -> None:
    allow = [ALLOW[0], ALLOW[1] | {"contractHash": OTHER}]
    assert consenting(watched(site(allow=allow), *MODELS)) == ["lung"]
    elsewhere = federated_model(sites=["south/ward", "west/ward"])
    assert consenting(watched(site(), elsewhere)) == []
    assert consenting(watched(site(suspend=True), *MODELS)) == []
    assert consenting(SiteObserved(site(), FEDERATED)) == []
