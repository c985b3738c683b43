"""Whatever happens in whatever order: no Job of a site runs without its consent, and all comes to rest."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from heart_api.federation import SiteFailure
from heart_operator.plan.federation.consent import names, refusal
from tests.support.plan.federated import SITES, FederatedWorld, SiteWorld, federated_world, site

OTHER = [{"name": "age", "type": "number"}, {"name": "weight", "type": "number"}]
AGREED = [{"model": "clinic/heart"}]
Change = Callable[[FederatedWorld, str], Any]


def finish(world: FederatedWorld, name: str) -> None:
    if world.running_job():
        world.finish_job()


def fail(world: FederatedWorld, name: str) -> None:
    if world.running_job():
        world.fail_job()


def delete(world: FederatedWorld, name: str) -> None:
    world.sites.pop(name, None)


def create(world: FederatedWorld, name: str) -> None:
    uid = f"uid-{len(world.events)}-{name}"
    world.sites.setdefault(name, SiteWorld(site(name).model_copy(update={"uid": uid})))


def at_site(change: Callable[[SiteWorld], Any]) -> Change:
    return lambda world, name: change(world.sites[name]) if name in world.sites else None


def with_hash(world: FederatedWorld, name: str) -> None:
    if name in world.sites:
        entry = {"model": "clinic/heart", "contractHash": world.model.contract_hash}
        world.sites[name].change(allow=[entry])


CHANGES: dict[str, Change] = {
    "suspend": at_site(lambda found: found.change(suspend=True)),
    "resume": at_site(lambda found: found.change(suspend=False)),
    "drop": at_site(lambda found: found.change(allow=[])),
    "allow": at_site(lambda found: found.change(allow=AGREED)),
    "allow this contract": with_hash,
    "delete": delete,
    "create": create,
    "lose the Jobs": at_site(lambda found: (found.parts.clear(), found.checks.clear())),
    "lose the status": at_site(
        lambda found: setattr(found, "site", found.site.model_copy(update={"status": type(found.site.status)()}))
    ),
    "another contract": lambda world, name: world.merge_spec({"features": OTHER}),
    "retrain": lambda world, name: world.retrain(f"{name} {len(world.events)}"),
    "finish": finish,
    "fail": fail,
    "fail at the site": lambda world, name: (
        world.end_part(name, SiteFailure(reason="DataInvalid", message="x")) if name in world.sites else None
    ),
    "check": lambda world, name: world.answer_checks(),
    "too few rows": lambda world, name: world.answer_checks(rows=20),
    "lose the check": lambda world, name: world.lose_check(name) if name in world.sites else None,
    "time": lambda world, name: world.pass_time(120),
}


@settings(max_examples=40, deadline=None)
@given(
    policy=st.sampled_from(["Hold", "Continue"]),
    steps=st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.sampled_from(SITES)), max_size=14),
)
def test_no_job_runs_without_consent(policy: str, steps: list[tuple[str, str]]) -> None:
    world = federated_world(checked=False, onMissingSite=policy)
    for change, name in steps:
        CHANGES[change](world, name)
        world.rest()
        for found in world.sites.values():
            check_consent(world, found)


def check_consent(world: FederatedWorld, found: SiteWorld) -> None:
    consents = (
        any(entry.model == "clinic/heart" for entry in found.site.spec.allow)
        and not found.site.spec.suspend
        and refusal(found.site, world.model) is None
        and names(world.model.spec.federation, found.site)
    )
    running = [job for job in found.checks.values() if job.phase == "Running"]
    if not consents:
        assert found.running == []
        assert running == []
    assert len(found.running) <= 1
    assert len(running) <= 1
