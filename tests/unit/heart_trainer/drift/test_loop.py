"""The whole loop without a cluster: drift is found, the next version learns the new patients, and it is quiet again."""

from mlflow import MlflowClient

from heart_api.contract import Dataset
from heart_api.evaluation import ServingReference
from heart_api.gates import Gates
from heart_api.retrainschedule import DriftCheck
from heart_operator.plan.gates.verdict import judge
from tests.support.registry.job_output import read_evaluation
from tests.unit.heart_trainer.drift.conftest import Check, Log, Trained, train
from tests.unit.heart_trainer.drift.test_check import drift_of

GATES = Gates.model_validate(
    {"checks": [{"metric": "roc_auc", "min": 0.75}, {"metric": "roc_auc", "maxRegression": 0.03}]}
)
QUARTER = DriftCheck(threshold=0.25)


def test_a_version_that_learnt_the_new_patients_is_quiet(run: Check, log: Log, trained: Trained) -> None:
    log.add(1000, hours=30, shift=1.0, seed=5, known=True)
    log.add(1000, hours=3, shift=1.0, seed=6, known=True)
    assert drift_of(run(drift=QUARTER)[0]).verdict == "Drift"

    dataset = Dataset(uri="builtin://heart-synthetic?rows=400", include_feedback=True)
    serving = ServingReference(version="1", digest=trained.result.artifact_sha256)
    newer = train(trained.folder, dataset, "2", serving=serving, database=log.url)
    evaluation = read_evaluation(MlflowClient(trained.tracking_uri), newer)
    assert evaluation.rows == 2400
    assert evaluation.comparison
    assert evaluation.comparison.rows_unseen_by_serving > 1900, "the serving version is scored on what is new to it"
    assert judge(GATES, evaluation, serving).passed

    log.add(1000, hours=30, shift=1.0, seed=7, version=newer.version)
    log.add(1000, hours=3, shift=1.0, seed=8, version=newer.version)
    found = drift_of(run(drift=QUARTER, serving={"version": newer.version, "digest": newer.artifact_sha256})[0])
    assert (found.verdict, found.samples) == ("NoDrift", 1000)
    assert not [entry.name for entry in found.features if entry.confirmed]
