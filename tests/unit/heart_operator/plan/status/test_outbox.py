"""Decisions and the outbox: each is told once it is stored, under one id, until everybody has acknowledged it."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.checks import CheckStatus
from heart_api.driftstatus import DriftStatus
from heart_api.handover import TrainingFailure
from heart_api.names import Annotation
from heart_api.outbox import MOST_ENTRIES, Destination, Erasure, OutboxEntry, OutboxStatus
from heart_operator.plan.heartmodel import plan_heart_model
from heart_operator.plan.observed import Observed
from heart_operator.plan.selection.selection import select_version
from heart_operator.plan.status.decisions import Made, dataset, decisions
from heart_operator.plan.status.outbox import advance
from tests.support.plan.world import START, World, heart_model, sha

ALL: tuple[Destination, ...] = ("history", "cloudevents", "openlineage")


class Told(World):
    """A world with receivers that acknowledge what a test lets them."""

    destinations: tuple[Destination, ...] = ALL
    delivered: frozenset[tuple[str, Destination]] = frozenset()
    heard: list[OutboxEntry]

    def observe(self) -> Observed:
        return replace(super().observe(), destinations=self.destinations, delivered=self.delivered)

    def entries(self) -> tuple[OutboxEntry, ...]:
        outbox = self.model.status.outbox
        return outbox.entries if outbox else ()

    def types(self) -> list[str]:
        return [entry.type for entry in self.entries()]

    def acknowledge(self, *destinations: Destination) -> None:
        """All that waits, by these receivers."""
        self.delivered |= {(entry.id, each) for entry in self.entries() for each in destinations}
        self.settle()


def served(**spec: Any) -> Told:
    world = Told(heart_model(spec) if spec else heart_model())
    world.settle()
    world.finish_job()
    world.settle()
    world.start_pods()
    world.settle()
    return world


def test_the_way_of_a_version_is_told_step_by_step() -> None:
    world = served()
    assert world.types() == ["training-started", "trained", "gated", "promoted"]
    started, trained, gated, promoted = world.entries()
    assert started.pending == ("openlineage",)
    assert trained.pending == ALL
    assert gated.pending == promoted.pending == ("history", "cloudevents")
    assert started.data["run"] == trained.data["run"], "OpenLineage joins the two by it"
    assert (trained.data["version"], trained.data["digest"]) == ("1", sha("1"))
    assert (promoted.data["namespace"], promoted.data["name"], promoted.data["by"]) == ("clinic", "heart", "heartops")


def test_without_receivers_nothing_is_kept() -> None:
    world = Told()
    world.destinations = ()
    world.settle()
    assert world.model.status.outbox is None


def test_what_everybody_has_acknowledged_is_removed_and_nothing_else() -> None:
    world = served()
    world.acknowledge("history")
    assert [entry.pending for entry in world.entries()] == [
        ("openlineage",),
        ("cloudevents", "openlineage"),
        ("cloudevents",),
        ("cloudevents",),
    ]
    world.acknowledge("cloudevents", "openlineage")
    assert world.model.status.outbox is None


def test_a_receiver_that_is_no_longer_configured_is_not_waited_for() -> None:
    world = served()
    world.destinations = ("history",)
    world.settle()
    assert {entry.pending for entry in world.entries()} == {("history",)}


def test_a_restart_tells_nothing_again_and_forgets_nothing() -> None:
    world = served()
    before = world.entries()
    world.settle()
    assert world.entries() == before


def test_a_crash_between_two_writes_keeps_the_entry_and_its_id() -> None:
    """The facts are stored with the decision; whatever comes after may be repeated."""
    once = served()
    world = Told()
    for _ in range(60):
        plan = world.plan()
        world.model = world.model.model_copy(update={"status": plan.facts})
        world.carry_out(world.plan())
        if world.running_job():
            world.finish_job()
        world.start_pods()
    assert {entry.id for entry in world.entries()} == {entry.id for entry in once.entries()}


def test_a_lost_status_gives_the_same_ids() -> None:
    world = served()
    before = {entry.id: entry.type for entry in world.entries()}
    world.wipe_status()
    world.settle()
    for entry in world.entries():
        assert entry.type in ("promoted", "gated", "training-started") or entry.id in before


def test_a_failed_training_is_told_with_its_reason() -> None:
    world = Told()
    world.settle()
    world.fail_job(TrainingFailure(reason="DataInvalid", message="column age is missing"))
    world.settle()
    failed = world.entries()[-1]
    assert (failed.type, failed.data["reason"]) == ("training-failed", "DataInvalid")
    assert "column age is missing" in failed.data["message"]


def test_a_version_that_fails_its_gates_is_gated_and_rejected() -> None:
    world = served()
    world.retrain("again")
    world.settle()
    world.finish_job(auc=0.5)
    world.settle()
    assert world.types()[-2:] == ["gated", "rejected"]
    assert world.entries()[-1].data["version"] == "2"


def test_an_approval_names_who_gave_it() -> None:
    world = served(approval="Manual")
    world.submit("promote", "1", by="carol", reason="looks good")
    world.settle()
    world.start_pods()
    world.settle()
    approved = next(entry for entry in world.entries() if entry.type == "approved")
    assert (approved.data["by"], approved.data["version"], approved.data["message"]) == ("carol", "1", "looks good")
    assert world.types().count("approved") == 1


def test_a_rollback_is_no_promotion() -> None:
    world = served()
    world.retrain("again")
    world.settle()
    world.finish_job()
    world.settle()
    world.start_pods()
    world.settle()
    world.pass_time(60)
    world.submit("rollback", "2", by="dave")
    world.settle()
    world.start_pods()
    world.settle()
    back = next(entry for entry in world.entries() if entry.type == "rolled-back")
    assert (back.data["version"], back.data["by"]) == ("1", "dave")


def test_drift_of_a_requested_check_is_told_once() -> None:
    model = heart_model()
    drift = DriftStatus(
        time="2026-01-01T00:00:00Z", version="1", verdict="Drift", share=1, samples=300, message="moved"
    )
    window = {"since": "2025-12-31T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    check = CheckStatus(id="c1", by="erin", where={"site": "a"}, phase="Succeeded", drift=drift, **window)
    after = model.status.model_copy(update={"check": check})
    (found,) = decisions(model, after, START)
    assert (found.type, found.data["where"], found.data["by"]) == ("drift", "site=a", "erin")
    assert not list(decisions(model.model_copy(update={"status": after}), after, START))
    quiet = check.model_copy(update={"drift": drift.model_copy(update={"verdict": "NoDrift"})})
    assert not list(decisions(model, model.status.model_copy(update={"check": quiet}), START))


def test_an_erasure_is_told_once_and_says_nothing_of_whom() -> None:
    world = served()
    world.acknowledge(*ALL)
    text = Erasure(id="e1", time="2026-01-01T00:00:00Z", predictions=3, outcomes=1).model_dump_json()
    annotations = {Annotation.ERASED: text, Annotation.ERASED_BY: "frank"}
    world.model = world.model.model_copy(update={"annotations": annotations})
    world.settle()
    (found,) = world.entries()
    assert (found.type, found.data["by"], found.data["predictions"]) == ("erased", "frank", "3")
    world.acknowledge(*ALL)
    assert world.entries() == ()
    assert world.model.status.erasure == "e1"


@pytest.mark.parametrize("text", ["", "{}", "[", '{"id": "a b", "time": "x"}', "x" * 5000])
def test_an_annotation_of_any_form_is_no_erasure(text: str) -> None:
    world = Told(heart_model(annotations={Annotation.ERASED: text}))
    world.settle()
    assert "erased" not in world.types()


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("https://user:secret@example.org/a.csv?X-Signature=secret", "https://example.org/a.csv"),
        ("s3://bucket/a/b.csv", "s3://bucket/a/b.csv"),
        ("builtin://iris", "builtin://iris"),
        ("dvc+https://user:secret@example.org/a.git#rows.csv", "dvc+https://example.org/a.git#rows.csv"),
    ],
)
def test_no_credential_of_an_address_is_told(uri: str, told: str) -> None:
    assert dataset(heart_model({"dataset": {"uri": uri}})) == told


def test_a_full_outbox_drops_the_oldest_and_counts_them() -> None:
    observed = Told().observe()
    made = [Made(f"id-{index}", "gated", "2026-01-01T00:00:00Z", {}) for index in range(MOST_ENTRIES + 6)]
    full = advance(OutboxStatus(), made, observed)
    assert (len(full.entries), full.dropped, full.entries[0].id) == (MOST_ENTRIES, 6, "id-6")
    again = advance(full, made[-1:], observed)
    assert again == full, "what waits already does not wait twice"
    long = advance(OutboxStatus(), [Made("a", "gated", "2026-01-01T00:00:00Z", {"message": "x" * 9999})], observed)
    assert len(long.entries[0].data["message"]) == 500


def test_the_outbox_is_in_the_same_write_as_the_decision() -> None:
    world = Told()
    observed = world.observe()
    plan = plan_heart_model(observed, select_version(observed), START)
    assert plan.facts.training
    assert plan.facts.outbox
    assert plan.facts.outbox.entries[0].type == "training-started"


@pytest.mark.parametrize(("length", "noticed"), [(1024, True), (1025, False)])
def test_an_erasure_that_nobody_is_told_of_is_noticed_once_all_the_same(length: int, noticed: bool) -> None:
    """Receivers that are configured later hear nothing of the past."""
    text = Erasure(id="e1", time="2026-01-01T00:00:00Z").model_dump_json()
    world = Told(heart_model(annotations={Annotation.ERASED: text.ljust(length)}))
    world.destinations = ()
    world.settle()
    assert (world.model.status.erasure, world.model.status.outbox) == ("e1" if noticed else None, None)
    world.destinations = ALL
    world.settle()
    assert "erased" not in world.types()
