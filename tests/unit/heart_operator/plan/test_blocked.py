"""What a model's status, events and metrics say while Jobs and Deployments have no running pod."""

from dataclasses import replace
from datetime import timedelta

from heart_api.kube.values import Blocked
from heart_operator.plan.observed import BlockedWorkload
from tests.support.plan.world import START, World, bring_up, serving_world

QUOTA = Blocked("Quota", 'pods "heart-train-1-…" is forbidden: exceeded quota: small, used: pods=0', "Raise the quota")
NOWHERE = Blocked("VolumeMissing", 'configmap "nowhere" not found', "Create it", hopeless=True, since=START)


def block(world: World, blocked: Blocked | None) -> str:
    """The running Job has no pod; its name."""
    job = world.running_job() or world.running_evaluation()
    assert job
    world.jobs[job.name] = replace(job, waiting=True, blocked=blocked)
    return job.name


def started() -> World:
    world = World()
    world.settle()
    return world


def test_a_training_without_a_pod_says_why_and_what_to_do() -> None:
    world = started()
    name = block(world, QUOTA)
    plan = world.reconcile()
    assert world.condition("Trained") == ("Unknown", "TrainingPending")
    assert world.condition("Ready") == ("False", "TrainingPending")
    for type_ in ("Trained", "Progressing", "Ready"):
        assert f"Job {name} cannot start (Quota): " in world.message(type_)
        assert "exceeded quota: small" in world.message(type_)
        assert "Raise the quota" in world.message(type_)
    assert [(event.type, event.reason) for event in plan.events] == [("Warning", "TrainingPending")]
    assert plan.blocked == (BlockedWorkload("Job", name, "Quota"),)
    assert world.model.status.training
    assert world.model.status.training.phase == "Running"


def test_an_event_is_repeated_for_another_cause_and_not_for_other_words() -> None:
    world = started()
    block(world, QUOTA)
    world.settle()
    block(world, replace(QUOTA, message=QUOTA.message.replace("pods=0", "pods=1")))
    assert world.reconcile().events == ()
    block(world, replace(QUOTA, cause="Scheduling"))
    assert [event.reason for event in world.reconcile().events] == ["TrainingPending"]


def test_a_training_whose_pod_starts_after_all_trains() -> None:
    world = started()
    name = block(world, QUOTA)
    world.settle()
    world.jobs[name] = replace(world.jobs[name], waiting=False, blocked=None)
    plan = world.reconcile()
    assert world.condition("Trained") == ("Unknown", "TrainingStarted")
    assert plan.blocked == ()
    assert plan.requeue_after is None
    world.finish_job()
    bring_up(world)
    assert world.condition("Ready") == ("True", "Serving")


def test_a_pod_that_does_not_run_is_observed_again_soon_and_later_less_often() -> None:
    world = started()
    block(world, None)
    assert world.plan().requeue_after == 5
    world.pass_time(600)
    assert world.plan().requeue_after == 30


def test_what_does_not_exist_is_waited_for_ten_minutes_and_no_longer() -> None:
    world = started()
    name = block(world, NOWHERE)
    world.settle()
    world.pass_time(9 * 60)
    world.settle()
    assert world.condition("Trained") == ("Unknown", "TrainingPending")
    world.pass_time(60)
    world.settle()
    assert name not in world.jobs, "Kubernetes would wait on"
    assert world.condition("Trained") == ("False", "TrainingFailed")
    assert 'configmap "nowhere" not found' in world.message("Trained")
    assert "10 minutes" in world.message("Trained")
    assert "kubectl logs" not in world.message("Trained"), "there are none"
    world.pass_time(3600)
    world.settle()
    assert sum(world.jobs_created.values()) == 1
    world.retrain("x")
    world.settle()
    assert world.running_job()


def test_a_quota_is_waited_for_as_long_as_the_training_may_last() -> None:
    world = started()
    block(world, replace(QUOTA, since=START))
    world.pass_time(3600)
    world.settle()
    assert world.condition("Trained") == ("Unknown", "TrainingPending")


def test_an_evaluation_without_a_pod_says_why_and_is_given_up_alike() -> None:
    world = serving_world()
    world.register_by_hand()
    world.settle()
    name = block(world, replace(NOWHERE, since=world.now))
    plan = world.reconcile()
    assert world.condition("GatePassed") == ("Unknown", "EvaluationPending")
    assert "EvaluationPending" in [event.reason for event in plan.events]
    assert f"Job {name} cannot start (VolumeMissing)" in world.message("GatePassed")
    world.now += timedelta(minutes=10)
    world.settle()
    assert world.condition("GatePassed")[0] == "False"
    assert name not in world.jobs
    assert world.condition("Available")[0] == "True"


def test_serving_pods_that_were_never_made_say_why() -> None:
    world = serving_world()
    entry = world.deployment("1")
    world.deployments[entry.name] = replace(entry, ready=1, blocked=QUOTA)
    plan = world.reconcile()
    assert world.condition("Ready") == ("False", "PodsPending")
    assert "1 of 2 pods of version 1 are ready (Quota): " in world.message("Ready")
    assert [event.reason for event in plan.events] == ["PodsPending"]
    assert plan.blocked == (BlockedWorkload("Deployment", entry.name, "Quota"),)
    assert world.condition("Available")[0] == "True"


def test_more_pods_than_asked_for_at_least_do_not_make_a_model_unready() -> None:
    world = serving_world()
    entry = world.deployment("1")
    world.deployments[entry.name] = replace(entry, replicas=4, ready=3, blocked=QUOTA)
    world.reconcile()
    assert world.condition("Ready") == ("True", "Serving")
    assert "3 of 4 pods are ready (Quota)" in world.message("Ready")


def test_a_candidate_whose_pods_cannot_start_says_why() -> None:
    world = started()
    world.finish_job()
    world.settle()
    entry = world.deployment("1")
    world.deployments[entry.name] = replace(entry, blocked=QUOTA)
    world.reconcile()
    assert world.condition("Ready") == ("False", "PodsPending")
    assert world.condition("Progressing") == ("True", "PodsPending")
    assert "exceeded quota" in world.message("Ready")


def test_an_evicted_pod_is_worth_no_word_while_its_replacement_starts() -> None:
    world = serving_world()
    entry = world.deployment("1")
    evicted = Blocked("Evicted", "EvictionByEvictionAPI: Eviction API: evicting", "See the nodes", lost=world.now)
    world.deployments[entry.name] = replace(entry, ready=1, blocked=evicted, problem=evicted.message)
    plan = world.reconcile()
    assert world.condition("Ready") == ("False", "ReplicasUnavailable")
    assert world.message("Ready") == "1 of 2 pods of version 1 are ready"
    assert (plan.events, plan.blocked) == ((), ())
    assert plan.requeue_after == 5
    world.pass_time(61)
    plan = world.reconcile()
    assert "1 of 2 pods of version 1 are ready (Evicted): EvictionByEvictionAPI" in world.message("Ready")
    assert [event.reason for event in plan.events] == ["PodsPending"]


def test_a_training_whose_pod_was_evicted_is_worth_a_word_when_its_replacement_does_not_start() -> None:
    world = started()
    block(world, Blocked("Scheduling", "Unschedulable: 0/1 nodes are available", "Add a node", lost=world.now))
    assert world.reconcile().blocked == ()
    assert world.condition("Trained") == ("Unknown", "TrainingStarted")
    world.pass_time(61)
    world.settle()
    assert world.condition("Trained") == ("Unknown", "TrainingPending")
