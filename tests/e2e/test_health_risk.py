"""Three hospitals train one model as the example's README has it, applied unchanged; their rows stay where they are."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from heart_trainer.data.sources.vitals import TARGET, vitals_cohort
from tests.e2e.canaries import run_heart
from tests.e2e.kit import (
    HTTP,
    ROOT,
    SYSTEM,
    TRAINING,
    Model,
    Object,
    eventually,
    get,
    items,
    kubectl,
    require,
    run_kubectl,
)
from tests.support.soak import SOAK

pytestmark = pytest.mark.timeout(1500)

FOLDER = ROOT / "examples/health-risk"
HOSPITALS = ("hospital-01", "hospital-02", "hospital-03")
NAMESPACES = ("clinic", *HOSPITALS)
DRIFTED = 4
"""Exit code of `kubectl heart check`."""
RECORDS = json.loads((FOLDER / "requests/predict.json").read_text())
ONE = {
    "heart_rate": 75,
    "steps": 8000,
    "sleep_hours": 7.5,
    "respiratory_rate": 16,
    "body_temp": 98.6,
    "pm25": 15,
    "pm10": 25,
    "o3": 0.05,
    "no2": 0.02,
    "temperature": 72,
    "humidity": 50,
}


def init_namespace(namespace: str) -> None:
    command = (sys.executable, "-m", "heart_cli", "init-namespace", namespace, "--system-namespace", SYSTEM)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def risk(product: None) -> Iterator[Model]:
    require(not any(get("namespace", name) for name in NAMESPACES), "room for the example's namespaces")
    try:
        kubectl("apply", "-f", FOLDER / "00-namespaces.yaml")
        for name in NAMESPACES:
            init_namespace(name)
        kubectl("apply", "-f", FOLDER)
        model = Model("clinic", "health-risk")
        model.wait_serving("1", TRAINING)
        yield model
    finally:
        run_kubectl("delete", "-f", FOLDER / "sites.yaml", "-f", FOLDER / "heartmodel.yaml", "--ignore-not-found")
        run_kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found", "--wait=false")


def condition(living: Object, kind: str) -> tuple[str, str]:
    found = living.get("status", {}).get("conditions", [])
    return next(((each["status"], each["reason"]) for each in found if each["type"] == kind), ("", ""))


def sites(model: Model) -> dict[str, Object]:
    """Of the latest training, by hospital."""
    return {entry["site"].split("/")[0]: entry for entry in model.status["training"].get("sites", [])}


def test_every_hospital_took_part_and_says_about_how_many_rows_it_has(risk: Model) -> None:
    found = sites(risk)
    assert set(found) == set(HOSPITALS)
    assert {entry["state"] for entry in found.values()} == {"Completed"}
    assert {name: entry["rows"] for name, entry in found.items()} == {
        "hospital-01": 900,
        "hospital-02": 180,
        "hospital-03": 600,
    }
    assert all(entry["exchanges"] > 0 for entry in found.values())
    for name in HOSPITALS:
        site = eventually(lambda name=name: ended_part(name), 60, f"the part of {name} to end")
        assert condition(site, "Ready")[0] == "True"
        (part,) = site["status"]["trainings"]
        assert (part["model"], part["phase"]) == ("clinic/health-risk", "Succeeded")


def ended_part(name: str) -> Object:
    """The hospital's FederationSite, once its Job has ended."""
    site = get("fsite", name, "-n", name)
    return site if all(part["phase"] != "Running" for part in site["status"].get("trainings", [])) else {}


def test_what_ran_at_a_hospital_ran_in_its_own_namespace_from_the_products_image(
    risk: Model, images: dict[str, str]
) -> None:
    for name in HOSPITALS:
        jobs = items("jobs", "-n", name)
        assert {job["metadata"]["ownerReferences"][0]["kind"] for job in jobs} == {"FederationSite"}
        containers = [each for job in jobs for each in job["spec"]["template"]["spec"]["containers"]]
        assert {each["image"] for each in containers} == {images["federation"]}


def test_the_readings_of_the_readme_get_an_answer(risk: Model, proxy: str) -> None:
    answer = risk.predict(proxy, ONE).raise_for_status().json()
    assert answer["label"] in ("stable", "deterioration")
    well, ill, without_sensors = risk.predict(proxy, RECORDS).raise_for_status().json()["predictions"]
    assert well["probability"] == pytest.approx(answer["probability"])
    assert ill["probability"] > 0.5 > without_sensors["probability"]


def test_the_hospitals_are_compared_by_a_gate(risk: Model) -> None:
    gate = next(entry for entry in risk.status["conditions"] if entry["type"] == "GatePassed")
    assert gate["status"] == "True"
    assert "site" in gate["message"]


@pytest.mark.skipif(not SOAK, reason="six minutes: in make test-soak")
def test_a_hot_week_with_bad_air_is_noticed_and_learnt(risk: Model, proxy: str) -> None:
    before = risk.status["serving"]["version"]
    drift = {"schedule": "* * * * *", "window": "1m", "minSamples": 50, "threshold": 0.5}
    change = json.dumps({"spec": {"drift": drift, "cooldown": "1h"}})
    kubectl("patch", "rts", risk.name, "-n", risk.namespace, "--type=merge", "-p", change)
    stop = threading.Event()
    sender = threading.Thread(target=send, args=(risk.address(proxy), stop), daemon=True)
    sender.start()
    begun = time.monotonic()
    try:
        eventually(lambda: drift_run(risk), 600, "a training that drift has requested", every=2)
        eventually(lambda: risk.status["training"].get("version", before) != before, TRAINING, "a new version", every=2)
        check_one_hospital(risk, seconds=int(time.monotonic() - begun) // 2)
        assert {entry["state"] for entry in sites(risk).values()} == {"Completed"}
        eventually(lambda: promoted(risk, before), 300, "the new version to serve", every=2)
    finally:
        stop.set()
        sender.join()


def promoted(risk: Model, before: str) -> bool:
    """A person ends the pause, and goes on without the evidence that so few requests do not give."""
    if risk.status.get("candidate", {}).get("phase") in ("Paused", "Held"):
        run_heart(risk, "promote", "--reason", "in place of five minutes and more requests")
    return bool(risk.status["serving"]["version"] != before)


def check_one_hospital(risk: Model, seconds: int) -> None:
    """Drift is confirmed by a window and the one before it: both have to lie in the hot week."""
    options = ("--where", "site=hospital-01", "--from", f"{seconds}s", "--min-samples", "50", "--timeout", "5m")
    words = (sys.executable, "-m", "heart_cli", "check", risk.name, "-n", risk.namespace, *options)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == DRIFTED, done.stdout + done.stderr
    assert "predictions of version" in done.stdout


def send(address: str, stop: threading.Event) -> None:
    """A hot week at one hospital, every few seconds."""
    seed = 100
    while not stop.wait(5):
        seed += 1
        rows = vitals_cohort(rows=40, seed=seed, shift=2.0).drop(columns=TARGET)
        records = json.loads(rows.to_json(orient="records"))
        try:
            HTTP.post(f"{address}/predict", json=records, headers={"X-HeartOps-Labels": "site=hospital-01"})
        except httpx.HTTPError:
            continue


def drift_run(model: Model) -> bool:
    runs = get("rts", model.name, "-n", model.namespace).get("status", {}).get("runs", [])
    return any(run["cause"] == "Drift" for run in runs)


def test_a_withdrawn_consent_holds_the_next_training_and_what_serves_goes_on(risk: Model, proxy: str) -> None:
    patch_site("hospital-02", suspend=True)
    kubectl("annotate", "heartmodel", risk.name, "-n", risk.namespace, "heartops.dev/retrain=withdrawn", "--overwrite")
    found = risk.wait("Trained", "False", 60, reason="SiteRefused")
    assert "hospital-02" in found["message"]
    assert risk.condition("Ready")["status"] == "True"
    risk.predict(proxy, ONE).raise_for_status()
    patch_site("hospital-02", suspend=False)
    eventually(lambda: (risk.status.get("training") or {}).get("phase") == "Running", 120, "the training to begin")
    eventually(lambda: len(running_parts()) == len(HOSPITALS), 120, "every hospital to join")
    patch_site("hospital-01", suspend=True)
    eventually(lambda: "hospital-01" not in running_parts(), 60, "the part of hospital-01 to end")
    patch_site("hospital-01", suspend=False)


@pytest.mark.skipif(not SOAK, reason="minutes: in make test-soak")
def test_a_training_whose_coordinator_is_evicted_begins_anew(risk: Model) -> None:
    """As on a node that is drained: the sites' Jobs find the next pod, or are made again for the next attempt."""
    known = risk.status["training"].get("version")
    kubectl("annotate", "heartmodel", risk.name, "-n", risk.namespace, "heartops.dev/retrain=drained", "--overwrite")
    eventually(lambda: len(running_parts()) == len(HOSPITALS), 300, "every hospital to join")
    (pod,) = eventually(lambda: running_coordinators(risk), 60, "the coordinator")
    risk.evict(pod)
    eventually(lambda: risk.status["training"].get("version") not in (None, known), TRAINING, "a version", every=2)
    assert {entry["state"] for entry in sites(risk).values()} == {"Completed"}


def running_coordinators(risk: Model) -> list[str]:
    """Names of the pods of the latest training."""
    found = items("pods", "-n", risk.namespace, "-l", f"job-name={risk.status['training']['job']}")
    return [pod["metadata"]["name"] for pod in found if pod["status"]["phase"] == "Running"]


def patch_site(name: str, **spec: Any) -> None:
    kubectl("patch", "fsite", name, "-n", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def running_parts() -> set[str]:
    """Hospitals where a Job of a training runs."""
    jobs = (job for name in HOSPITALS for job in items("jobs", "-n", name) if "-site-" in job["metadata"]["name"])
    return {job["metadata"]["namespace"] for job in jobs if job.get("status", {}).get("active")}
