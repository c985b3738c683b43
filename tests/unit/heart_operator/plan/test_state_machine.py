"""Whatever happens, in whatever order, and wherever the operator dies: these always hold.

The operator and its surroundings move in turns. After every single action of the operator the watcher looks; at the end
the surroundings become kind, and the world must come to rest with the right version behind the Service.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from heart_api.names import Annotation, evaluated_version, short_hash
from heart_operator.plan.analysis.counts import Share
from heart_operator.plan.analysis.experiment import Sums
from heart_operator.plan.gates.verdict import judge
from heart_operator.plan.observed import AnalysisSample, Arms
from heart_operator.plan.rollout.scale import fewest
from heart_operator.plan.training.triggers import current_trigger
from tests.support.plan.samples import BAD, GOOD, SILENT
from tests.support.plan.world import PROFILE, Crash, World, bring_up

LOOSE = {"checks": [{"metric": "roc_auc", "min": 0.5}]}
USUAL = {"checks": [{"metric": "roc_auc", "min": 0.8}, {"metric": "roc_auc", "maxRegression": 0.02}]}
STRICT = {"checks": [{"metric": "roc_auc", "min": 0.85}]}
EXPERIMENT = {"duration": "5m", "by": {"cookie": "user"}, "metric": "ErrorRate", "minDetectable": 0.01}
SERVING: list[dict[str, Any]] = [
    {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}},
    {"autoscaling": {"minReplicas": 1, "maxReplicas": 3}},
    {"replicas": 0},
    {"replicas": 1},
    {"replicas": 3},
]
ROLLOUTS: list[dict[str, Any]] = [
    {"steps": [], "historyLimit": 1},
    {"steps": [{"setWeight": 20}, {"pause": {"duration": "1m"}}, {"setWeight": 50}], "analysis": {"minRequests": 50}},
    {"steps": [{"setWeight": 40}, {"pause": {}}], "historyLimit": 10},
    {"steps": [{"pause": {"duration": "1m"}}], "mirror": {"percent": 50}},
    {"steps": [{"setWeight": 10}], "analysis": {"onInconclusive": "Promote"}},
    {"experiment": EXPERIMENT | {"onInconclusive": "Rollback"}},
    {"experiment": EXPERIMENT | {"duration": "1m", "onInconclusive": "Promote"}},
]
BETTER, WORSE = (
    replace(GOOD, arms=Arms(Share(bad, 2000), Share(40, 2000), Sums(2000, good, good), Sums(2000, 1700, 1700)))
    for bad, good in ((160, 1500), (2, 1900))
)
SAMPLES = [GOOD, BAD, SILENT, BETTER, WORSE, AnalysisSample(error="Prometheus is down")]
ACTIONS = ["promote", "promote-full", "abort", "rollback", "retry", "pause", "resume"]
RARELY = st.sampled_from([False, False, True])


class Operator(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(watchers=[self.watch])
        self.served: str | None = None
        self.decided: str | None = None
        self.selected: str | None = None
        self.jobs_gone: Counter[str] = Counter()
        self.proven: set[str] = set()
        """Versions that have served."""
        self.approved: set[str] = set()

    # --- what always holds --------------------------------------------------------------------

    def watch(self, world: World) -> None:
        """After every action of the operator."""
        running = [evaluated_version(job.trigger) is None for job in world.jobs.values() if job.phase == "Running"]
        assert running.count(True) <= 1, "two trainings at once"
        assert running.count(False) <= 1, "two evaluations at once"
        for trigger, count in world.jobs_created.items():
            assert count <= 1 + self.jobs_gone[trigger], f"{trigger} was trained twice"
        recorded = world.model.status.serving
        if recorded and recorded.version not in (self.served, self.decided):
            # The facts come first: from here on a lost Service comes back with this version.
            self.watch_promotion(world, recorded.version)
            self.decided = recorded.version
        if world.selected is not None:
            restored = self.selected is None and world.selected == self.decided
            if world.selected != self.served and not restored:
                self.watch_promotion(world, world.selected)
            self.served = world.selected
            self.proven.add(world.selected)
        self.selected = world.selected

    def watch_traffic(self, world: World) -> None:
        """Only the serving version and the candidate answer, and no refused one that could be replaced."""
        candidate = world.model.status.candidate
        if world.model.spec.suspend or world.profile is None:
            return
        assert world.answering <= {world.selected, candidate.version if candidate else None}
        rejected = {entry.digest for entry in world.model.status.rejected if entry.reason != "GateFailed"}
        if candidate:
            assert candidate.digest not in rejected, "a refused version is rolled out"
            self.watch_name(world, candidate.version)

    def watch_name(self, world: World, candidate: str) -> None:
        """A candidate is on its way to serve: with pods, or about to get them."""
        held = world.condition("GatePassed") == ("Unknown", "InsufficientEvidence")
        pinned = str(world.model.spec.version) == candidate
        assert not held or pinned or candidate in world.running_versions, "what its gate holds is called a candidate"

    def watch_pinned(self, world: World, begun: set[str], recorded: str) -> None:
        """While a number is named only what a person asks for is trained, and what was recorded as begun before."""
        asked = short_hash(world.model.annotations.get(Annotation.RETRAIN) or "")
        trainings = [trigger for trigger in begun if evaluated_version(trigger) is None and trigger != recorded]
        if world.model.spec.pinned_version:
            assert all(asked in trigger.split("-") for trigger in trainings), "nobody asked for a training"

    def watch_promotion(self, world: World, version: str) -> None:
        """Nothing gets behind the Service unproven; what has served before may come back at any time."""
        known, deployment, spec = world.trained[version], world.deployment(version), world.model.spec
        assert not spec.suspend
        assert deployment.digest == known.digest
        for entry in world.model.status.rejected:
            assert entry.digest != known.digest or entry.reason == "GateFailed", "a refused version serves"
        if version in self.proven:
            assert deployment.ready > 0, "a version without a pod serves"
            return
        assert not world.registry_error
        assert spec.approval == "Automatic" or version in self.approved, "nobody approved it"
        assert known.starts, "a version that never starts serves"
        assert deployment.ready >= max(1, fewest(spec.serving)), "a version with too few pods serves"
        if str(spec.version) == version:
            return
        against = known.evaluation.comparison.against if known.evaluation.comparison else None
        if self.served is None:
            against = None
        assert judge(spec.gates, known.evaluation, against).passed, "a version that fails its gate serves"
        assert not world.tags.get(version, "").startswith("ReadyDeadlineExceeded")

    def reconcile_once(self, fuse: int | None = None) -> None:
        """One reconcile, which may die after `fuse` actions."""
        jobs = {job.name: job.trigger for job in self.world.jobs.values()}
        begun = set(self.world.jobs_created)
        writes, suspended = self.world.writes, self.world.model.spec.suspend
        status = self.world.model.status
        self.selected = self.world.selected
        self.world.fuse = fuse
        try:
            self.world.reconcile()
            self.watch_traffic(self.world)
        except Crash:
            pass
        finally:
            self.world.fuse = None
        self.jobs_gone.update(jobs[name] for name in jobs.keys() - self.world.jobs.keys())
        recorded = status.training.trigger if status.training else ""
        self.watch_pinned(self.world, self.world.jobs_created.keys() - begun, recorded)
        if suspended:
            assert self.world.writes - writes <= (self.world.model.status != status), "it acts while suspended"

    # --- turns --------------------------------------------------------------------------------

    @initialize(serving=st.sampled_from(SERVING), versions=st.integers(0, 2), rollout=st.sampled_from(ROLLOUTS))
    def begin(self, serving: dict[str, Any], versions: int, rollout: dict[str, Any]) -> None:
        """From nothing, or with versions that were promoted already."""
        for version in range(versions):
            self.world.retrain(f"at first {version}")
            self.good_hour()
            self.world.finish_job()
            self.good_hour()
        self.world.merge_spec({"serving": serving, "rollout": rollout})

    @rule()
    def reconcile(self) -> None:
        self.reconcile_once()

    @rule(actions=st.integers(0, 8))
    def reconcile_and_die(self, actions: int) -> None:
        self.reconcile_once(actions)

    @rule()
    def good_hour(self) -> None:
        """The operator reconciles whenever something changed."""
        for _ in range(3):
            self.reconcile_once()
            self.world.start_pods()
            self.reconcile_once()

    @rule(auc=st.sampled_from([0.7, 0.82, 0.9]), starts=st.booleans(), regression=st.sampled_from([0.0, -0.1, -0.02]))
    def training_succeeds(self, auc: float, starts: bool, regression: float) -> None:
        self.reconcile_once()
        if self.world.running_job():
            self.world.finish_job(auc, starts, regression)
            self.reconcile_once()

    @rule(why=st.sampled_from(["OOMKilled", "DeadlineExceeded", ""]))
    def training_fails(self, why: str) -> None:
        if self.world.running_job():
            self.world.fail_job(why=why)

    @rule()
    def pods_start(self) -> None:
        self.world.start_pods()

    @rule(replicas=st.integers(1, 6))
    def autoscaler_acts(self, replicas: int) -> None:
        self.world.autoscale(replicas)

    @rule(seconds=st.sampled_from([1, 61, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(seed=st.integers(1, 3))
    def spec_changes(self, seed: int) -> None:
        self.world.merge_spec({"training": {"seed": seed}})

    @rule(value=st.sampled_from(["", "a", "b", "c"]))
    def person_asks_for_training(self, value: str) -> None:
        self.world.retrain(value)

    @rule(gates=st.sampled_from([LOOSE, USUAL, STRICT]))
    def gates_change(self, gates: dict[str, Any]) -> None:
        self.world.merge_spec({"gates": gates})

    @rule(serving=st.sampled_from(SERVING))
    def serving_changes(self, serving: dict[str, Any]) -> None:
        self.world.merge_spec({"serving": serving})

    @rule(rollout=st.sampled_from(ROLLOUTS))
    def rollout_changes(self, rollout: dict[str, Any]) -> None:
        self.world.merge_spec({"rollout": rollout})

    @rule(sample=st.sampled_from(SAMPLES))
    def traffic_shows(self, sample: AnalysisSample) -> None:
        """What looks find from now on; the operator looks a few times."""
        self.world.sample = sample
        for _ in range(4):
            self.world.pass_time(30)
            self.world.start_pods()
            self.reconcile_once()

    @rule(auc=st.sampled_from([0.7, 0.9]), starts=st.booleans())
    def person_registers_a_version(self, auc: float, starts: bool) -> None:
        if self.world.claimed_by:
            self.world.register_by_hand(auc, starts)

    @rule(servable=st.sampled_from([True, True, False]))
    def evaluation_ends(self, servable: bool) -> None:
        if self.world.running_evaluation():
            self.world.finish_evaluation() if servable else self.world.reject_evaluation()

    @rule(action=st.sampled_from(ACTIONS), data=st.data())
    def person_commands(self, action: str, data: st.DataObject) -> None:
        if self.world.trained:
            version = data.draw(st.sampled_from(sorted(self.world.trained)))
            if action.startswith("promote"):
                self.approved.add(version)
            self.world.submit(action, version)

    @rule(approval=st.sampled_from(["Automatic", "Automatic", "Manual"]))
    def approval_changes(self, approval: str) -> None:
        self.world.merge_spec({"approval": approval})

    @rule(version=st.sampled_from(["latest", "latest", 1, 2, "@champion"]))
    def person_names_a_version(self, version: int | str) -> None:
        self.world.merge_spec({"version": version})

    @rule(data=st.data())
    def person_moves_the_alias(self, data: st.DataObject) -> None:
        if self.world.versions:
            self.world.aliases["champion"] = data.draw(st.sampled_from(sorted(self.world.versions)))

    @rule(data=st.data(), times=st.integers(1, 3))
    def pods_crash(self, data: st.DataObject, times: int) -> None:
        if self.world.deployments:
            name = data.draw(st.sampled_from(sorted(self.world.deployments)))
            self.world.crash(self.world.deployments[name].version, times)

    @rule(suspend=RARELY)
    def person_suspends(self, suspend: bool) -> None:
        self.world.change_spec(suspend=suspend)

    @rule(gone=RARELY)
    def profile_comes_and_goes(self, gone: bool) -> None:
        self.world.profile = None if gone else PROFILE

    @rule(down=RARELY)
    def registry_comes_and_goes(self, down: bool) -> None:
        self.world.registry_error = "connection refused" if down else None

    @rule(unreadable=RARELY)
    def evaluation_comes_and_goes(self, unreadable: bool) -> None:
        self.world.evaluation_error = "its digest differs" if unreadable else None

    @rule()
    def status_is_lost(self) -> None:
        self.world.wipe_status()

    @rule(data=st.data())
    def person_deletes_a_deployment(self, data: st.DataObject) -> None:
        if self.world.deployments:
            del self.world.deployments[data.draw(st.sampled_from(sorted(self.world.deployments)))]

    @rule(data=st.data())
    def person_deletes_a_child(self, data: st.DataObject) -> None:
        if self.world.children:
            keys = sorted(self.world.children, key=lambda key: (key.kind, key.name))
            del self.world.children[data.draw(st.sampled_from(keys))]

    @rule()
    def person_deletes_the_running_job(self) -> None:
        if job := self.world.running_job():
            del self.world.jobs[job.name]
            self.jobs_gone[job.trigger] += 1

    @precondition(
        lambda self: self.world.profile and not self.world.registry_error and not self.world.model.spec.suspend
    )
    @rule()
    def status_is_lost_at_rest(self) -> None:
        """The same version serves, and nothing is trained that was trained before."""
        self.world.settle()
        self.note_deleted_jobs()
        served, created = self.world.selected, Counter(self.world.jobs_created)
        remembered = current_trigger(self.world.observe()) in self.known_triggers()
        self.world.wipe_status()
        self.world.settle()
        assert self.world.selected == served
        if remembered:
            assert self.world.jobs_created == created

    def known_triggers(self) -> set[str]:
        jobs = {job.trigger for job in self.world.jobs.values()}
        return jobs | {entry.trigger for entry in self.world.deployments.values()}

    def note_deleted_jobs(self) -> None:
        """`settle` looks many times; Jobs that went meanwhile may be made again."""
        present = {job.trigger for job in self.world.jobs.values()}
        for trigger in self.world.jobs_created.keys() - present:
            self.jobs_gone[trigger] = self.world.jobs_created[trigger]

    # --- the end -------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody is kind again: the world comes to rest, with what the spec asks for behind the Service."""
        world = self.world
        world.profile, world.registry_error, world.evaluation_error = PROFILE, None, None
        world.change_spec(suspend=False)
        kind = {"version": "latest", "approval": "Automatic", "rollout": ROLLOUTS[1]}
        world.merge_spec({"gates": LOOSE, "serving": SERVING[0], "training": {"seed": 4}} | kind)
        world.sample = GOOD
        world.retrain("at last")
        self.jobs_gone.update(dict.fromkeys(world.jobs_created, 99))
        world.watchers = []
        bring_up(world)
        if not world.running_job():
            raise AssertionError("the last training was not started")
        wanted = world.finish_job()
        bring_up(world)
        for seconds in (30, 61, 61, 3601):
            world.pass_time(seconds)
            bring_up(world)
        assert world.selected == wanted
        assert world.running_versions == {wanted}
        assert world.condition("Ready") == ("True", "Serving")
        assert {name: version for name, version in world.aliases.items() if name != "champion"} == {"serving": wanted}
        assert not world.open_runs
        assert Annotation.APPLIED in (world.child("Service") or {})["metadata"]["annotations"]


TestOperator = Operator.TestCase
TestOperator.pytestmark = [pytest.mark.timeout(7200)]  # many sequences in the soak
