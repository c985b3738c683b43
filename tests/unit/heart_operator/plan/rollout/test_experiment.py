"""A/B experiments: users in two groups, one outcome that decides, and what follows."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.handover import EXPERIMENT_FILE, MIRROR_FILE, ExperimentTarget, MirrorTarget
from heart_operator.plan.analysis.counts import Share
from heart_operator.plan.analysis.experiment import Sums
from heart_operator.plan.observed import AnalysisSample, Arms
from heart_operator.plan.validate import problems
from tests.support.plan.samples import BAD, GOOD
from tests.support.plan.world import World, bring_up, serving_world, watch
from tests.unit.heart_operator.plan.rollout.test_canary import candidate, submit, train

BY_HEADER = {"header": "X-User-Id"}
EXPERIMENT = {"duration": "10m", "split": 40, "by": BY_HEADER, "minDetectable": 0.05}


def right(hits: int, rows: int) -> Sums:
    """Outcomes that the predictions have met, and all."""
    return Sums(rows, hits, hits)


def arms(stable: Sums, candidate: Sums) -> AnalysisSample:
    return replace(GOOD, arms=Arms(stable_outcomes=stable, candidate_outcomes=candidate))


def experiment_world(sample: AnalysisSample = GOOD, serving: dict[str, Any] | None = None, **changes: Any) -> World:
    """Version 1 serves, version 2 has its pods, and users are assigned."""
    world = serving_world()
    kinds = {"serving": {"replicas": 3, "predictionLog": {"sink": "PostgreSQL"}} | (serving or {})}
    world.merge_spec({"rollout": {"experiment": EXPERIMENT | changes}, **kinds})
    world.kinds = world.kinds | {"HTTPRoute"}
    world.start_pods()
    bring_up(world)
    world.sample = sample
    train(world, "x")
    world.start_pods()
    world.settle()
    return world


def config(world: World) -> dict[str, str]:
    """What the serving pods are told."""
    found = next(
        child for key, child in world.children.items() if (key.kind, key.name) == ("ConfigMap", "heart-mirror")
    )
    data: dict[str, str] = found["data"]
    return data


def target(world: World) -> ExperimentTarget:
    return ExperimentTarget.model_validate_json(config(world)[EXPERIMENT_FILE])


def test_the_serving_pods_are_told_whom_the_candidate_answers() -> None:
    world = experiment_world()
    found = target(world)
    assert (found.version, found.split, found.by.header, found.metric) == ("2", 40, "X-User-Id", "Accuracy")
    assert found.url == "http://heart-candidate.clinic.svc:80"
    assert MirrorTarget.model_validate_json(config(world)[MIRROR_FILE]).percent == 0
    service = world.child("Service")
    assert world.selected == "1"
    assert service, "users ask the stable version's pods, which know who belongs where"
    assert world.answering == {"1"}
    assert world.deployment("2").replicas == 2, "40% of three pods' work"
    assert (candidate(world).weight, candidate(world).actual_weight) == (40, 40)
    assert candidate(world).phase == "Experimenting"
    assert world.condition("RolloutSucceeded") == ("Unknown", "Experimenting")
    assert world.condition("Ready") == ("False", "Experimenting")


def test_users_stay_in_their_groups_for_as_long_as_it_lasts() -> None:
    world = experiment_world()
    before = target(world)
    watch(world, 120)
    assert target(world) == before
    world.deployments = {name: replace(entry, ready=0) for name, entry in world.deployments.items() if "v2" in name} | {
        name: entry for name, entry in world.deployments.items() if "v2" not in name
    }
    world.settle()
    assert EXPERIMENT_FILE not in config(world), "nobody is sent to pods that are not there"
    world.start_pods()
    world.settle()
    assert target(world) == before


def test_a_gateways_route_leads_everybody_to_the_pods_that_know() -> None:
    route = {"gateway": {"name": "public"}, "hostnames": ["heart.example.org"]}
    world = experiment_world(serving={"route": route})
    found = world.child("HTTPRoute")
    assert found
    ((backend,),) = [rule["backendRefs"] for rule in found["spec"]["rules"]]
    assert (backend["name"], backend["weight"]) == ("heart", 100)


def test_a_better_candidate_takes_over() -> None:
    world = experiment_world()
    watch(world, 90)
    assert world.selected == "1", "without outcomes nothing is decided"
    world.sample = arms(right(1500, 2000), right(1800, 2000))
    watch(world, 60)
    assert world.selected == "2"
    assert world.model.status.history[-1].reason == "Promoted"
    assert EXPERIMENT_FILE not in config(world)


def test_a_worse_candidate_is_rejected_with_both_figures() -> None:
    world = experiment_world(arms(right(1800, 2000), right(1500, 2000)))
    watch(world, 60)
    assert world.selected == "1"
    (entry,) = world.model.status.rejected
    assert (entry.version, entry.reason) == ("2", "ExperimentFailed")
    assert "the candidate has 75.00% of 2000, the stable version 90.00% of 2000; difference -15.00%" in entry.message
    assert world.condition("RolloutSucceeded") == ("False", "ExperimentFailed")
    assert "kubectl heart retry heart 2" in world.message("RolloutSucceeded")


def test_the_figures_and_their_bounds_are_in_the_status() -> None:
    world = experiment_world(arms(right(160, 200), right(165, 200)))
    watch(world, 60)
    found = candidate(world).experiment
    assert (found.stable.count, found.stable.mean, found.candidate.mean) == (200, 0.8, 0.825)
    assert found.stable.low < 0.8 < found.stable.high
    assert found.low < 0.025 < found.high
    assert found.verdict == "Running"
    assert "not decided yet" in candidate(world).message


@pytest.mark.parametrize(("wish", "served"), [("Promote", "2"), ("Rollback", "1"), ("Hold", "1")])
@pytest.mark.parametrize("sample", [GOOD, arms(right(16_000, 20_000), right(16_010, 20_000))], ids=["time", "equal"])
def test_without_a_winner_it_ends_as_was_declared(wish: str, served: str, sample: AnalysisSample) -> None:
    world = experiment_world(sample, onInconclusive=wish)
    watch(world, 720)
    assert world.selected == served
    assert bool(world.model.status.rejected) == (wish == "Rollback")
    if wish == "Hold":
        assert candidate(world).phase == "Held"
        assert EXPERIMENT_FILE in config(world), "users stay in their groups while somebody decides"
        submit(world, "promote", "2")
        watch(world, 60)
        assert world.selected == "2"


def test_before_its_end_nothing_is_declared_a_draw() -> None:
    world = experiment_world(onInconclusive="Promote")
    watch(world, 540)
    assert world.selected == "1"
    assert candidate(world).experiment.verdict == "Running"


@pytest.mark.parametrize(("goal", "served"), [("Maximize", "2"), ("Minimize", "1")])
def test_a_mean_outcome_is_to_rise_or_to_fall(goal: str, served: str) -> None:
    more, less = Sums(2000, 2400.0, 6000.0), Sums(2000, 1800.0, 4000.0)
    world = experiment_world(arms(less, more), metric="MeanOutcome", goal=goal)
    watch(world, 60)
    assert world.selected == served


def test_an_error_rate_adds_up_from_interval_to_interval() -> None:
    failing = Arms(Share(1, 300), Share(30, 300))
    world = experiment_world(
        replace(GOOD, arms=failing), metric="ErrorRate", serving={"predictionLog": {"sink": "None"}}
    )
    watch(world, 240)
    (entry,) = world.model.status.rejected
    assert entry.reason == "ExperimentFailed"
    assert "difference +9" in entry.message


def test_a_candidate_that_fails_is_not_kept_for_its_outcomes() -> None:
    world = experiment_world(replace(BAD, arms=arms(right(150, 200), right(180, 200)).arms))
    watch(world, 300)
    (entry,) = world.model.status.rejected
    assert entry.reason == "CanaryAnalysisFailed"


def test_a_database_that_is_silent_for_a_while_changes_nothing() -> None:
    world = experiment_world(arms(right(160, 200), right(165, 200)))
    watch(world, 60)
    known = candidate(world).experiment
    world.sample = GOOD
    watch(world, 60)
    assert candidate(world).experiment == known


@pytest.mark.parametrize(("action", "served"), [("promote", "2"), ("promote-full", "2"), ("abort", "1")])
def test_a_person_ends_it_at_any_time(action: str, served: str) -> None:
    world = experiment_world()
    submit(world, action, "2")
    watch(world, 60)
    assert world.selected == served
    assert EXPERIMENT_FILE not in config(world)


def test_a_model_with_manual_approval_waits_for_it() -> None:
    world = experiment_world()
    world.merge_spec({"approval": "Manual"})
    world.sample = arms(right(1500, 2000), right(1800, 2000))
    watch(world, 60)
    assert world.selected == "1"
    assert candidate(world).phase == "AwaitingApproval"
    submit(world, "promote", "2")
    watch(world, 60)
    assert world.selected == "2"


def test_the_first_version_needs_no_experiment() -> None:
    world = World()
    world.merge_spec({"rollout": {"experiment": EXPERIMENT}, "serving": {"predictionLog": {"sink": "PostgreSQL"}}})
    world.settle()
    world.finish_job()
    bring_up(world)
    assert world.selected == "1"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"training": {"task": "regression"}, "gates": {"checks": []}, "target": {"name": "num"}}, "Accuracy does not"),
        ({"serving": {"predictionLog": {"sink": "Stdout"}}}, "Accuracy needs the outcomes"),
    ],
)
def test_a_metric_that_nobody_could_measure_is_a_mistake_in_the_spec(spec: dict[str, Any], problem: str) -> None:
    world = World()
    log = {"serving": {"predictionLog": {"sink": "PostgreSQL"}}}
    world.merge_spec({"rollout": {"experiment": EXPERIMENT}, **log, **spec})
    (found,) = problems(world.observe())
    assert found.startswith(f"spec.rollout.experiment.metric: {problem}")
