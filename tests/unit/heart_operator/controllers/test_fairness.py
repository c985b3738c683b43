"""Namespaces take turns, whatever one of them does; within one, rollouts and trainings come first."""

from hypothesis import given
from hypothesis import strategies as st

from heart_operator.controllers.fairness import URGENT_IN_A_ROW, FairKeys
from heart_operator.controllers.workqueue import Schedule

Key = tuple[str, int]


def schedule() -> Schedule[Key]:
    return Schedule[Key](lambda: 0.5, group=lambda key: key[0])


def worked_before(found: Schedule[Key], key: Key, workers: int = 1) -> int:
    """How many keys are taken before this one, by workers that each finish one key before they take another."""
    for taken in range(100_000):
        now = found.take(0.0)
        assert now is not None
        if now == key:
            return taken
        found.done(now)
        found.add(now)  # as changing as ever
    raise AssertionError(f"{key} is never worked on")


def test_a_thousand_changed_models_do_not_delay_another_tenants() -> None:
    found = schedule()
    for number in range(1000):
        found.add(("noisy", number))
    found.add(("quiet", 0))
    assert worked_before(found, ("quiet", 0)) <= 1
    found.done(("quiet", 0))
    for _ in range(50):
        assert found.take(0.0) is not None
    found.add(("quiet", 0))
    assert worked_before(found, ("quiet", 0)) <= 1


def test_models_that_ripen_together_take_turns_too() -> None:
    """A resync, or the first listing: the noisy tenant's were all due before."""
    found = schedule()
    for number in range(1000):
        found.add_at(("noisy", number), 1.0)
    found.add_at(("quiet", 0), 2.0)
    taken = [found.take(3.0) for _ in range(3)]
    assert ("quiet", 0) in taken[:2]


def test_a_rollout_comes_before_models_that_only_changed() -> None:
    found = schedule()
    for number in range(100):
        found.add(("a", number))
    found.prioritize(("a", 99), urgent=True)
    found.add(("a", 99))
    assert found.take(0.0) == ("a", 99)
    found.prioritize(("a", 99), urgent=False)
    found.done(("a", 99))
    found.add(("a", 99))
    assert found.take(0.0) == ("a", 0)


def test_a_tenants_rollouts_do_not_come_before_another_tenants_turn() -> None:
    found = schedule()
    for number in range(100):
        found.prioritize(("noisy", number), urgent=True)
        found.add(("noisy", number))
    found.add(("quiet", 0))
    assert worked_before(found, ("quiet", 0)) <= 1


def test_urgent_models_do_not_starve_the_others_of_their_namespace() -> None:
    found = schedule()
    for number in range(10):
        found.prioritize(("a", number), urgent=True)
        found.add(("a", number))
    found.add(("a", 50))
    assert worked_before(found, ("a", 50)) <= URGENT_IN_A_ROW


def test_a_tenant_whose_models_are_slow_leaves_a_worker_to_the_others() -> None:
    found = schedule()
    found.share = 7
    for number in range(100):
        found.add(("slow", number))
    taken = [found.take(0.0) for _ in range(7)]
    assert None not in taken
    assert found.take(0.0) is None, "the eighth worker waits for somebody else"
    found.add(("quiet", 0))
    assert found.take(0.0) == ("quiet", 0)
    found.done(("slow", 3))
    assert found.take(0.0) == ("slow", 7)


def test_what_is_finished_or_failed_makes_room() -> None:
    found = schedule()
    found.share = 1
    for number in range(3):
        found.add(("a", number))
    assert found.take(0.0) == ("a", 0)
    assert found.take(0.0) is None
    found.failed(("a", 0), 0.0)
    assert found.take(0.0) == ("a", 1)
    found.done(("a", 1))
    assert found.take(0.0) == ("a", 2)
    assert len(found) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()), max_size=60))
def test_every_key_is_taken_once(added: list[tuple[str, int, bool]]) -> None:
    keys = FairKeys[Key](lambda key: key[0])
    for group, number, urgent in added:
        keys.add((group, number), urgent=urgent)
    wanted = {(group, number) for group, number, _ in added}
    assert len(keys) == len(wanted)
    taken = [keys.take() for _ in wanted]
    assert set(taken) == wanted
    assert keys.take() is None
    assert len(keys) == 0
