"""Versions registered by hand: when a Job measures one, what its end means, and what counts of it later."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heart_api.handover import EvaluationRequest, TrainingFailure, TrainingResult
from heart_api.heartmodel import CommandStatus, HeartModel, RejectedStatus, TrainingStatus
from heart_api.kube.values import ObjectKey, VersionDeployment
from heart_api.names import Label, evaluated_version
from heart_operator.plan.observed import Observed, ObservedJob, RegisteredVersion, Registry, TrainingJob
from heart_operator.plan.selection.evaluation_job import EvaluationPlan, plan_evaluation
from heart_operator.plan.selection.measurements import is_current, without_outdated
from heart_operator.plan.selection.rejections import is_tagged, tag_of, with_rejection
from heart_operator.plan.versions import Version, of_training
from tests.support.plan.world import MONITORING, PROFILE, START, heart_model, sha

STABLE = Version("7", sha("7"), "t-7", "run-7", sha("e7"))
MEASURED = TrainingResult(version="8", run_id="run-e", artifact_sha256=sha("8"), evaluation_sha256=sha("e8"))
UNSERVABLE = TrainingFailure(reason="NotServable", message="the version has no model.onnx")


@dataclass
class EvaluationWorld:
    """One model with versions 8 and 9 by hand, carried from look to look as the operator would."""

    model: HeartModel = field(default_factory=heart_model)
    versions: dict[str, RegisteredVersion] = field(
        default_factory=lambda: {name: by_hand(name) for name in ("7", "8", "9")}
    )
    jobs: dict[str, TrainingJob] = field(default_factory=dict)
    deployments: tuple[VersionDeployment, ...] = ()
    known: TrainingStatus | None = None
    stable: Version | None = STABLE
    now: datetime = START
    requests: list[EvaluationRequest] = field(default_factory=list)

    @property
    def observed(self) -> Observed:
        return Observed(
            model=self.model,
            profile=PROFILE,
            profiles=("default",),
            jobs=(),
            deployments=self.deployments,
            children=service(self.stable),
            registry=Registry(claimed_by="clinic/heart", versions=self.versions),
            kinds=MONITORING,
        )

    def plan(self, version: str = "8", may_start: bool = True) -> EvaluationPlan:
        jobs = tuple(self.jobs.values())
        return plan_evaluation(self.observed, jobs, version, self.known, self.stable, may_start=may_start, now=self.now)

    def reconcile(self, version: str = "8") -> EvaluationPlan:
        """Plan, record, carry out."""
        plan = self.plan(version)
        self.known = plan.status
        for manifest in plan.create:
            name, trigger = manifest["metadata"]["name"], manifest["metadata"]["annotations"]["heartops.dev/trigger"]
            assert name not in self.jobs
            self.jobs[name] = ObservedJob(name, f"uid-{name}", trigger, self.now, "Running")
            (variable,) = [
                entry["value"]
                for entry in manifest["spec"]["template"]["spec"]["containers"][0]["env"]
                if entry["name"] == "HEARTOPS_EVALUATION_REQUEST"
            ]
            self.requests.append(EvaluationRequest.model_validate_json(variable))
        for key in plan.delete:
            assert (key.api_version, key.kind) == ("batch/v1", "Job")
            del self.jobs[key.name]
        self.now += timedelta(seconds=10)
        return plan

    def running(self) -> TrainingJob | None:
        return next((job for job in self.jobs.values() if job.phase == "Running"), None)

    def end(self, result: TrainingResult | None = None, failure: TrainingFailure | None = None, why: str = "") -> None:
        job = self.running()
        assert job
        phase = "Succeeded" if result or not (failure or why) else "Failed"
        self.jobs[job.name] = replace(job, phase=phase, finished=self.now, result=result, failure=failure, why=why)

    def change_spec(self, **parts: Any) -> None:
        self.model = heart_model(parts, status=self.model.status)

    def command(self, action: str, version: str, id_: str = "c-1") -> None:
        said = CommandStatus(id=id_, action=action, version=version, time="2026-01-01T00:00:00Z")
        self.set_status(command=said)

    def set_status(self, **fields: Any) -> None:
        self.model = self.model.model_copy(update={"status": self.model.status.model_copy(update=fields)})


def service(stable: Version | None) -> dict[ObjectKey, Any]:
    """What serves is read from its selector."""
    if stable is None:
        return {}
    selector = {"selector": {Label.MODEL_VERSION: stable.version}}
    return {ObjectKey("v1", "Service", "heart"): {"metadata": {"name": "heart"}, "spec": selector}}


def by_hand(version: str, created: int = 1_760_000_000_000, rejected: str | None = None) -> RegisteredVersion:
    return RegisteredVersion(version, "somebodys-run", "", "", rejected, created)


def measured() -> EvaluationWorld:
    """Version 8 has been measured."""
    world = EvaluationWorld()
    world.reconcile()
    world.end(MEASURED)
    world.reconcile()
    return world


def rejected() -> EvaluationWorld:
    world = EvaluationWorld()
    world.reconcile()
    world.end(failure=UNSERVABLE)
    plan = world.reconcile()
    assert plan.rejected
    world.set_status(rejected=(plan.rejected,))
    return world


def test_an_unknown_version_gets_one_job_that_is_asked_about_it() -> None:
    world = EvaluationWorld()
    for _ in range(5):
        world.reconcile()
    (request,) = world.requests
    assert (request.version, request.registry_name) == ("8", "clinic.heart")
    assert request.serving == STABLE.reference
    assert request.features == world.model.spec.features
    assert evaluated_version(request.trigger) == "8"
    assert world.known
    assert (world.known.phase, world.known.version) == ("Running", "8")


def test_what_the_job_measured_is_a_version_with_digests_of_our_own() -> None:
    status = measured().known
    assert status
    version = of_training(status)
    assert (version.version, version.digest) == ("8", MEASURED.artifact_sha256)
    assert (version.run_id, version.evaluation_sha256) == (MEASURED.run_id, MEASURED.evaluation_sha256)


@pytest.mark.parametrize("lose", ["status", "jobs", "both"])
def test_what_was_measured_is_not_measured_again(lose: str) -> None:
    """The status, the Job or the Deployment: each of them alone is enough."""
    world = measured()
    assert world.known
    trigger = world.known.trigger
    if lose != "jobs":
        world.known = None
    if lose != "status":
        world.jobs.clear()
    if lose == "both":
        world.deployments = (deployment(trigger),)
    for _ in range(3):
        plan = world.reconcile()
        assert plan.create == plan.delete == ()
    assert world.known
    assert of_training(world.known).digest == MEASURED.artifact_sha256
    assert len(world.requests) == 1


def deployment(trigger: str) -> VersionDeployment:
    return VersionDeployment(
        name="heart-v8",
        uid="u",
        version="8",
        digest=MEASURED.artifact_sha256,
        trigger=trigger,
        run_id=MEASURED.run_id,
        created=START,
        replicas=1,
        ready=1,
        up_to_date=True,
        evaluation_sha256=MEASURED.evaluation_sha256,
    )


CHANGES: list[dict[str, Any]] = [
    {"dataset": {"uri": "https://example.org/other.csv"}},
    {"target": {"name": "num", "positiveAbove": 1}},
    {"features": [{"name": "age", "type": "number"}]},
]


@pytest.mark.parametrize("change", CHANGES)
def test_another_question_is_asked_anew(change: dict[str, Any]) -> None:
    world = measured()
    assert world.known
    before = of_training(world.known)
    assert is_current(world.observed, before)
    world.change_spec(**change)
    assert not is_current(world.observed, before)
    world.reconcile()
    assert len(world.requests) == 2


def test_what_changes_no_figure_asks_for_nothing() -> None:
    world = measured()
    world.change_spec(gates={"checks": []}, serving={"replicas": 7}, training={"resources": {"limits": {"cpu": "1"}}})
    assert world.reconcile().create == ()


def test_a_comparison_with_another_version_than_serves_is_made_anew() -> None:
    world = measured()
    assert world.known
    world.stable = Version("9", sha("9"))
    assert not is_current(world.observed, of_training(world.known))
    world.reconcile()
    assert world.requests[-1].serving == world.stable.reference


def test_a_registered_model_that_was_made_anew_has_other_versions_of_the_same_number() -> None:
    world = measured()
    world.versions["8"] = by_hand("8", created=1_770_000_000_000)
    world.reconcile()
    assert len({request.trigger for request in world.requests}) == 2


def test_a_trained_version_is_not_this_rooms_concern() -> None:
    assert is_current(measured().observed, STABLE)


def test_the_first_version_of_a_model_is_compared_with_nothing() -> None:
    world = EvaluationWorld(stable=None)
    world.reconcile()
    assert world.requests[0].serving is None


@pytest.mark.parametrize("stable", [Version("8", sha("8")), Version("7", "")])
def test_nothing_is_compared_with_itself_or_with_what_nobody_knows(stable: Version) -> None:
    world = EvaluationWorld(stable=stable)
    world.reconcile()
    assert world.requests[0].serving is None


# --- what cannot be served ---------------------------------------------------------------------------


def test_what_cannot_be_served_is_rejected_with_the_jobs_message() -> None:
    world = rejected()
    (entry,) = world.model.status.rejected
    assert (entry.version, entry.reason, entry.message) == ("8", "NotServable", UNSERVABLE.message)
    assert world.known
    assert (world.known.phase, world.known.reason) == ("Failed", "NotServable")


def test_a_rejection_is_said_once_and_stands() -> None:
    world = rejected()
    (entry,) = world.model.status.rejected
    for _ in range(3):
        assert world.reconcile().rejected == entry
    assert len(world.requests) == 1
    assert without_outdated(world.observed, (entry,)) == (entry,)


def test_rejections_of_two_versions_do_not_replace_each_other() -> None:
    world = rejected()
    world.reconcile("9")
    world.end(failure=UNSERVABLE)
    plan = world.reconcile("9")
    assert plan.rejected
    kept = with_rejection(world.model.status.rejected, plan.rejected, 10)
    assert [entry.version for entry in kept] == ["8", "9"]
    assert with_rejection(kept, plan.rejected, 10) == kept


def test_the_registrys_tag_remembers_when_status_and_job_are_gone() -> None:
    world = rejected()
    (entry,) = world.model.status.rejected
    world.versions["8"] = by_hand("8", rejected=tag_of(entry))
    world.known, world.jobs = None, {}
    world.set_status(rejected=())
    plan = world.reconcile()
    assert plan.create == ()
    assert plan.rejected
    assert plan.rejected.gates_hash == entry.gates_hash


def test_the_registry_remembers_more_than_the_status_has_room_for() -> None:
    world = rejected()
    (entry,) = world.model.status.rejected
    eight, nine = Version("8", ""), Version("9", "")
    assert not is_tagged(world.observed, eight, "")
    world.versions["8"] = by_hand("8", rejected=tag_of(entry))
    assert is_tagged(world.observed, eight, "")
    assert not is_tagged(world.observed, nine, "")
    assert not is_tagged(world.observed, Version("8", sha("8")), ""), "it has been measured since"
    world.command("retry", "8")
    assert not is_tagged(world.observed, eight, "")


def test_who_serves_does_not_matter_to_what_cannot_be_served() -> None:
    world = rejected()
    world.stable = Version("9", sha("9"))
    assert without_outdated(world.observed, world.model.status.rejected)
    assert world.reconcile().create == ()
    assert len(world.requests) == 1


def test_a_tag_of_another_question_is_no_rejection() -> None:
    world = EvaluationWorld()
    world.versions["8"] = by_hand("8", rejected="NotServable:evaluate-8-00000000")
    assert world.reconcile().create


@pytest.mark.parametrize("change", CHANGES)
def test_another_contract_forgives(change: dict[str, Any]) -> None:
    world = rejected()
    world.change_spec(**change)
    assert without_outdated(world.observed, world.model.status.rejected) == ()
    assert world.reconcile().create


def test_other_rejections_are_left_alone() -> None:
    entry = RejectedStatus(
        version="8", digest=sha("8"), reason="GateFailed", gates_hash="g", message="m", time="2026-01-01T00:00:00Z"
    )
    assert without_outdated(EvaluationWorld().observed, (entry,)) == (entry,)


# --- failures that may pass ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (
            {"failure": TrainingFailure(reason="DatasetUnreachable", message="no route")},
            "no route. `kubectl heart retry",
        ),
        ({"why": "OOMKilled"}, "Evaluation ended early: OOMKilled; raise spec.training.resources"),
    ],
)
def test_a_failure_that_is_not_the_versions_rejects_nothing_and_is_not_repeated(
    end: dict[str, Any], words: str
) -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.end(**end)
    for _ in range(3):
        plan = world.reconcile()
        assert plan.rejected is None
        assert plan.create == ()
    assert world.known
    assert world.known.phase == "Failed"
    assert words in (world.known.message or "")


def test_a_persons_retry_measures_once_more() -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.end(why="Evicted")
    world.reconcile()
    world.command("retry", "9")
    assert world.reconcile().create == (), "of another version"
    world.command("retry", "8")
    assert world.reconcile().create
    world.end(MEASURED)
    world.reconcile()
    for action, version in (("pause", ""), ("retry", "8")):
        world.command(action, version, id_=f"c-{action}")
        plan = world.reconcile()
        assert plan.create == plan.delete == (), "it was measured: nothing to retry"
        assert plan.status
        assert plan.status.phase == "Succeeded"
    assert len(world.requests) == 2


def test_a_retry_runs_on_though_the_command_was_replaced() -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.end(why="Evicted")
    world.reconcile()
    world.command("retry", "8")
    world.reconcile()
    world.command("pause", "")
    for known in (world.known, None):
        world.known = known
        plan = world.reconcile()
        assert plan.create == plan.delete == ()
        assert world.running()


@pytest.mark.parametrize("id_", ["c-1", "c-2", "c-3", "c-4", "c-5", "c-6"])
def test_a_retry_of_the_same_second_outlives_a_lost_status(id_: str) -> None:
    """Whichever of the two Jobs has the greater name."""
    world = rejected()
    world.command("retry", "8", id_)
    world.reconcile()
    world.jobs = {name: replace(job, created=START) for name, job in world.jobs.items()}
    assert len(world.jobs) == 2
    world.known = None
    world.set_status(command=None, rejected=())
    plan = world.reconcile()
    assert plan.create == plan.delete == ()
    assert world.running()


def test_a_rejection_from_before_a_retry_has_fallen() -> None:
    world = rejected()
    world.command("retry", "8")
    assert without_outdated(world.observed, world.model.status.rejected) == ()


def test_a_success_outlives_its_job_though_the_failure_before_does_too() -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.end(why="Evicted")
    world.reconcile()
    world.command("retry", "8")
    world.reconcile()
    last = world.running()
    assert last
    del world.jobs[last.name]
    world.deployments, world.known = (deployment(last.trigger),), None
    world.command("pause", "")
    status = world.reconcile().status
    assert status
    assert status.phase == "Succeeded"


def test_a_second_retry_is_another_one() -> None:
    world = rejected()
    for id_ in ("c-1", "c-2"):
        world.command("retry", "8", id_)
        world.reconcile()
        world.end(failure=UNSERVABLE)
        world.reconcile()
        assert world.reconcile().create == ()
    assert len(world.requests) == 3


def test_a_result_that_nobody_read_is_measured_again() -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.end()
    (job,) = world.jobs
    assert world.reconcile().delete == (ObjectKey("batch/v1", "Job", job),)
    world.reconcile()
    assert world.running()
    assert {request.trigger for request in world.requests} == {world.requests[0].trigger}


def test_a_job_that_somebody_deleted_comes_back() -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.jobs.clear()
    world.reconcile()
    assert world.running()


# --- one at a time --------------------------------------------------------------------------------------


def test_a_newer_request_ends_the_running_job_first() -> None:
    world = EvaluationWorld()
    world.reconcile("8")
    plan = world.reconcile("9")
    assert len(plan.delete) == 1
    assert plan.create == ()
    world.reconcile("9")
    assert [request.version for request in world.requests] == ["8", "9"]
    assert len(world.jobs) == 1


def test_when_nothing_is_unknown_no_job_runs_and_the_record_stays() -> None:
    world = EvaluationWorld()
    world.reconcile()
    known = world.known
    plan = world.reconcile("")
    assert len(plan.delete) == 1
    assert plan.status == known
    done = measured()
    assert done.reconcile("").delete == ()


def test_an_obstacle_stops_nothing_that_runs_and_starts_nothing() -> None:
    world = EvaluationWorld()
    assert world.plan(may_start=False) == EvaluationPlan()
    world.reconcile()
    plan = world.plan("9", may_start=False)
    assert plan.create == plan.delete == ()
    world.end(MEASURED)
    status = world.plan(may_start=False).status
    assert status
    assert status.phase == "Succeeded"


def test_a_silent_registry_changes_nothing() -> None:
    world = EvaluationWorld()
    world.reconcile()
    observed = replace(world.observed, registry=Registry(error="down"))
    plan = plan_evaluation(
        observed, tuple(world.jobs.values()), "8", world.known, STABLE, may_start=True, now=world.now
    )
    assert plan == EvaluationPlan(world.known)


def test_old_jobs_are_cleared_away() -> None:
    world = EvaluationWorld(versions={str(n): by_hand(str(n)) for n in range(8, 20)})
    for version in map(str, range(8, 16)):
        for _ in range(2):
            world.reconcile(version)
        world.end(MEASURED.model_copy(update={"version": version}))
        world.reconcile(version)
    assert len(world.jobs) <= 4
    assert world.known
    assert world.known.job in world.jobs


def test_the_record_hears_of_the_end_when_the_version_is_no_longer_unknown() -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.end(MEASURED)
    world.reconcile(version="")
    assert world.known
    assert (world.known.phase, world.known.run_id) == ("Succeeded", "run-e")


def test_the_record_of_a_job_that_was_called_off_goes_with_it() -> None:
    world = EvaluationWorld()
    world.reconcile()
    world.reconcile(version="")
    assert world.known is not None, "the Job is being removed"
    world.reconcile(version="")
    assert (world.known, world.jobs) == (None, {})
