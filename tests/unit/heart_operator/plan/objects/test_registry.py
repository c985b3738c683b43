"""What the registry is told: only what it does not say already, and only while it is surely ours."""

from heart_operator.plan.actions import SetAlias
from tests.support.plan.world import bring_up, serving_world


def test_a_moved_alias_is_set_right() -> None:
    world = serving_world()
    world.retrain("x")
    world.settle()
    world.finish_job()
    bring_up(world)
    world.aliases |= {"serving": "1", "candidate": "1", "mine": "1"}
    plan = world.reconcile()
    assert plan.registry == (SetAlias("serving", "2"), SetAlias("candidate", None))
    assert world.aliases == {"serving": "2", "previous": "1", "mine": "1"}


def test_the_serving_alias_moves_after_the_promotion_alone() -> None:
    world = serving_world()
    world.retrain("x")
    world.settle()
    world.finish_job()
    world.settle()
    assert world.aliases == {"serving": "1", "candidate": "2"}
    bring_up(world)
    assert world.aliases == {"serving": "2", "previous": "1"}


def test_an_alias_never_names_what_the_registry_does_not_have() -> None:
    world = serving_world()
    world.retrain("x")
    world.settle()
    world.finish_job()
    bring_up(world)
    del world.versions["1"]
    world.aliases.clear()
    world.settle()
    assert world.aliases == {"serving": "2"}


def test_a_lost_tag_is_written_again() -> None:
    world = serving_world()
    world.retrain("x")
    world.settle()
    world.finish_job(auc=0.6)
    world.settle()
    tags = dict(world.tags)
    world.tags.clear()
    world.settle()
    assert world.tags == tags == {"2": tags["2"]}


def test_aliases_of_a_name_that_is_anothers_are_left_alone() -> None:
    world = serving_world()
    world.claimed_by = "other/model"
    world.aliases = {"serving": "9"}
    world.settle()
    assert world.aliases == {"serving": "9"}
