"""Which Jobs of a federated training are believed: of the coordinator, and of a site in its own namespace."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from heart_api.federation import CoordinatorIdentity, SiteCheckOutcome
from heart_api.federationsite import FederationSite
from heart_api.heartmodel import HeartModel, HeartModelStatus, TrainingStatus
from heart_api.kube.values import Manifest
from heart_api.names import Annotation
from heart_api.status import CoordinatorStatus, TrainingSite
from heart_operator.manifests.coordinator_job import build_coordinator_job
from heart_operator.manifests.site_job import build_site_check_job, build_site_job
from heart_operator.observe.coordinator import identity_of
from heart_operator.observe.own_jobs import Rebuild, is_rebuilt, rebuild_for_model, sort_jobs
from heart_operator.observe.pod_templates import is_made_from
from heart_operator.observe.site_jobs import is_check, parse_site_job, rebuild_for_site
from heart_operator.plan.federation.checks import check_trigger
from heart_operator.plan.federation.observed import SiteObserved
from tests.support.plan.federated import FEDERATED, IDENTITY, KEY, federated_model, site

TRIGGER = "0a1b2c3d"
SITE = site()
RECORD = TrainingStatus(
    job="heart-train-1",
    trigger=TRIGGER,
    phase="Running",
    sites=(TrainingSite(site="north/ward", uid=SITE.uid, public_key=KEY, minimum_rows=50, minimum_cell=10),),
    coordinator=CoordinatorStatus.model_validate(IDENTITY.model_dump()),
)
MODEL = federated_model().model_copy(update={"status": HeartModelStatus(training=RECORD)})
MODELS = {"clinic/heart": MODEL}
CHECK_TRIGGER = check_trigger(SiteObserved(SITE, FEDERATED, models=MODELS))
JOBS = {
    "coordinator": build_coordinator_job(MODEL, FEDERATED, TRIGGER, None, RECORD.sites or ()),
    "part": build_site_job(SITE, MODEL, FEDERATED),
    "check": build_site_check_job(SITE, [MODEL], FEDERATED, CHECK_TRIGGER),
}
Edit = Callable[[Manifest], Any]


def stored(job: Manifest) -> Manifest:
    """As the API server returns it."""
    job = copy.deepcopy(job)
    job["metadata"] |= {"uid": "j", "creationTimestamp": "2026-01-01T00:00:00Z"}
    pod_of(job).update(dnsPolicy="ClusterFirst", schedulerName="default-scheduler", terminationGracePeriodSeconds=30)
    return job


def pod_of(job: Manifest) -> Manifest:
    pod: Manifest = job["spec"]["template"]["spec"]
    return pod


def rebuild(kind: str, site: FederationSite = SITE, model: HeartModel = MODEL) -> Rebuild:
    if kind == "coordinator":
        return rebuild_for_model(model, FEDERATED)
    return rebuild_for_site(site, {"clinic/heart": model}, FEDERATED)


def container(job: Manifest, name: str = "trainer") -> Manifest:
    pod = pod_of(job)
    found: Manifest = next(e for e in (*pod.get("initContainers", ()), *pod["containers"]) if e["name"] == name)
    return found


def edit_request(job: Manifest, old: str, new: str) -> None:
    pod = pod_of(job)
    for entry in (*pod.get("initContainers", ()), *pod["containers"]):
        for variable in entry["env"]:
            variable["value"] = variable.get("value", "").replace(old, new)


@pytest.mark.parametrize("kind", JOBS)
def test_a_job_that_a_crash_left_unrecorded_is_known_by_what_it_runs(kind: str) -> None:
    assert is_rebuilt(stored(JOBS[kind]), rebuild(kind))


FORGERIES: dict[str, Edit] = {
    "another image": lambda job: container(job).update(image="evil:1"),
    "other arguments": lambda job: container(job).update(args=["site", "check", "evil"]),
    "one more variable": lambda job: container(job)["env"].append({"name": "PYTHONPATH", "value": "/data"}),
    "one more container": lambda job: pod_of(job)["containers"].append({"name": "evil", "image": "evil:1"}),
    "an init container": lambda job: pod_of(job).setdefault("initContainers", []).append({"name": "e", "image": "e"}),
    "a claim of others": lambda job: pod_of(job)["volumes"].append({"name": "evil", "configMap": {"name": "evil"}}),
    "a token of the API server": lambda job: pod_of(job).update(automountServiceAccountToken=True),
    "another contract": lambda job: edit_request(job, '"age"', '"aga"'),
}


@pytest.mark.parametrize("kind", JOBS)
@pytest.mark.parametrize("name", FORGERIES)
def test_a_copied_owner_reference_is_worth_nothing(kind: str, name: str) -> None:
    forged = stored(JOBS[kind])
    FORGERIES[name](forged)
    assert not is_rebuilt(forged, rebuild(kind))
    owner = {"metadata": {}, "status": {"jobs": []}}
    assert [job["metadata"]["name"] for job in sort_jobs([forged], owner, rebuild(kind)).foreign]


SITES_OWN: dict[str, tuple[str, str]] = {
    "sums sent elsewhere": ("heart-fleet.clinic.svc", "evil.example.org"),
    "another authority to trust": (IDENTITY.certificate, "-----BEGIN EVIL-----"),
    "fewer rows": ('"minimumRows":50', '"minimumRows":1'),
    "smaller cells": ('"minimumCell":10', '"minimumCell":1'),
    "other data": ("pvc://cohort/rows.csv", "pvc://secret/rows.csv"),
}


@pytest.mark.parametrize("name", SITES_OWN)
def test_a_sites_job_says_what_its_site_says(name: str) -> None:
    forged = stored(JOBS["part"])
    edit_request(forged, *SITES_OWN[name])
    assert forged != stored(JOBS["part"]), "the edit hits something"
    assert not is_rebuilt(forged, rebuild("part"))


def test_a_coordinator_asks_the_sites_that_were_recorded_and_no_other() -> None:
    forged = stored(JOBS["coordinator"])
    edit_request(forged, "ecdsa-sha2-nistp384 AAAA", "ecdsa-sha2-nistp384 EVIL")
    assert not is_rebuilt(forged, rebuild("coordinator"))
    unrecorded = MODEL.model_copy(update={"status": HeartModelStatus()})
    assert not is_rebuilt(stored(JOBS["coordinator"]), rebuild("coordinator", model=unrecorded))


def test_without_consent_no_job_of_the_site_is_ours() -> None:
    for withdrawn in (site(suspend=True), site(allow=[]), site(allow=[{"model": "evil/heart"}])):
        assert not is_rebuilt(stored(JOBS["part"]), rebuild("part", withdrawn))
        assert not is_rebuilt(stored(JOBS["check"]), rebuild("check", withdrawn))


def test_the_model_that_a_job_names_must_be_one_that_the_site_knows() -> None:
    forged = stored(JOBS["part"])
    forged["spec"]["template"]["metadata"]["annotations"][Annotation.TRAINED_MODEL] = "evil/heart"
    assert not is_rebuilt(forged, rebuild("part"))


def pod(job: Manifest, **status: Any) -> Manifest:
    owner = {"controller": True, "uid": job["metadata"]["uid"]}
    meta = {"name": "p", "uid": "p", "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [owner]}
    return {"metadata": meta, "spec": copy.deepcopy(pod_of(job)), "status": status}


def test_a_coordinators_pod_is_believed_with_its_own_containers_and_no_other() -> None:
    job = stored(JOBS["coordinator"])
    assert is_made_from(pod(job), job)
    spy = pod(job)
    spy["spec"]["initContainers"].append({"name": "spy", "volumeMounts": [{"name": "federation"}]})
    assert not is_made_from(spy, job)
    other = pod(job)
    container({"spec": {"template": {"spec": other["spec"]}}}, "superlink")["args"] = ["evil"]
    assert not is_made_from(other, job)


def test_whom_to_trust_is_what_the_identity_says() -> None:
    job = stored(JOBS["coordinator"])
    end = {"terminated": {"exitCode": 0, "message": IDENTITY.model_dump_json(by_alias=True)}}
    said = pod(job, initContainerStatuses=[{"name": "identity", "state": end}])
    assert identity_of([said]) == IDENTITY
    lie = pod(job, initContainerStatuses=[{"name": "gate", "state": end}])
    assert identity_of([lie]) is None
    broken = pod(job, initContainerStatuses=[{"name": "identity", "state": {"terminated": {"message": "{"}}}])
    assert identity_of([broken]) is None
    assert isinstance(IDENTITY, CoordinatorIdentity)


def test_a_check_is_told_from_a_part_by_its_template() -> None:
    assert is_check(stored(JOBS["check"]))
    part = stored(JOBS["part"])
    part["metadata"]["annotations"] = {}
    assert not is_check(part), "the Job's own annotations can be edited"


def test_what_a_check_left_is_read() -> None:
    job = stored(JOBS["check"]) | {
        "status": {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:01:00Z"}]}
    }
    outcome = SiteCheckOutcome(public_key=KEY, rows=437)
    end = {"terminated": {"exitCode": 0, "message": outcome.model_dump_json(by_alias=True)}}
    found = parse_site_job(
        job, [pod(job, containerStatuses=[{"name": "trainer", "state": end}])], SiteCheckOutcome, None
    )
    assert (found.phase, found.result) == ("Succeeded", outcome)
    lost = parse_site_job(job, [], SiteCheckOutcome, None)
    assert (lost.phase, lost.result, lost.failure) == ("Succeeded", None, None)
