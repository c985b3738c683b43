"""What the API server makes of a training's Job: it is admitted, and known again by what it runs."""

import json
from typing import Any

import pytest

from heart_api.profile import ApprovedTrainer
from heart_operator.manifests.training_job import build_training_job
from heart_operator.observe.own_jobs import is_rebuilt, rebuild_for_model
from tests.support.plan.world import PROFILE, heart_model

pytestmark = pytest.mark.api

TRAINERS = {"ours": ApprovedTrainer(image="registry.example.org/ours:1", command=("python3", "/opt/trainer.py"))}
APPROVED = PROFILE.model_copy(update={"trainers": TRAINERS, "tracking_auth": "Kubernetes"})
TRAININGS: dict[str, dict[str, Any]] = {
    "a trainer of one's own": {"trainer": "ours", "holdout": 0.25, "parameters": {"depth": 3}},
    "a search on several pods": {"tuning": {"parallelism": 3}},
}


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_the_job_is_admitted_and_known_again_by_what_it_runs(kubectl, training):
    model = heart_model({"dataset": {"uri": "pvc://data/heart.csv"}, "training": training})
    model = model.model_copy(update={"namespace": "default"})
    job = build_training_job(model, APPROVED, "0a1b2c3d", None)
    del job["metadata"]["ownerReferences"]
    done = kubectl("create", "-f", "-", "--dry-run=server", "-o", "json", stdin=job)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    stored = json.loads(done.stdout)
    assert is_rebuilt(stored, rebuild_for_model(model, APPROVED))
    pod = stored["spec"]["template"]["spec"]
    (*pod.get("initContainers", ()), *pod["containers"])[0]["image"] = "evil:1"
    assert not is_rebuilt(stored, rebuild_for_model(model, APPROVED))
