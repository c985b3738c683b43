"""Data in chunks on a real node: two workers that train one model, and millions of rows in two gibibytes."""

from collections.abc import Callable

import pytest

from heart_trainer.data.sources.cohort import COLUMNS, heart_cohort
from tests.e2e.cohorts import jobs, parquet, trained_in_two_gibibytes, two_workers, writer_of_claim
from tests.e2e.kit import TRAINING, Model, declare, eventually, items, kubectl
from tests.support.soak import SOAK

pytestmark = pytest.mark.timeout(1500)

SMALL, LARGE = 6_000, 5_000_000
long = pytest.mark.skipif(not SOAK, reason="minutes: in make test-soak")


@pytest.fixture(scope="module")
def volume(namespace: str, images: dict[str, str]) -> Callable[[str, bytes], None]:
    """Writes a file to the claim's folder."""
    return writer_of_claim(namespace, images["serving"])


def test_two_workers_train_the_model_that_serves(
    namespace: str, volume: Callable[[str, bytes], None], proxy: str
) -> None:
    volume("small/part-0.parquet", parquet(SMALL))
    model = declare(two_workers(namespace, "workers"))
    model.wait_serving("1", TRAINING)
    (job,) = jobs(model)
    assert (job["spec"]["completions"], job["status"]["succeeded"]) == (2, 2)
    patients = heart_cohort(3, seed=9)[list(COLUMNS)]
    records = patients.astype(object).where(patients.notna(), None).to_dict("records")
    answers = model.predict(proxy, records).raise_for_status().json()["predictions"]
    assert len(answers) == len(records)
    assert all(0 < answer["probability"] < 1 for answer in answers), answers


@long
def test_a_deleted_worker_ends_the_attempt_and_the_next_one_trains(
    namespace: str, volume: Callable[[str, bytes], None]
) -> None:
    volume("small/part-0.parquet", parquet(SMALL))
    model = declare(two_workers(namespace, "lost"))
    first = eventually(lambda: running_workers(model), TRAINING, "both workers to run")
    kubectl("delete", "pod", first[1], "-n", namespace, "--grace-period=0", "--force")
    model.wait_serving("1", TRAINING)
    attempts = [job["spec"]["template"]["metadata"]["annotations"]["heartops.dev/attempt"] for job in jobs(model)]
    assert sorted(attempts) == ["0", "1"]


def running_workers(model: Model) -> list[str]:
    """Names of both pods, by their number, once both run; else none."""
    selector = f"heartops.dev/model={model.name},app.kubernetes.io/component=training"
    found = [pod for pod in items("pods", "-n", model.namespace, "-l", selector) if pod["status"]["phase"] == "Running"]
    index = "batch.kubernetes.io/job-completion-index"
    names = [pod["metadata"]["name"] for pod in sorted(found, key=lambda pod: pod["metadata"]["labels"][index])]
    return names if len(names) == 2 else []


def test_five_million_rows_are_trained_in_two_gibibytes(
    namespace: str, volume: Callable[[str, bytes], None], measured: Callable[[str], None]
) -> None:
    volume("large.parquet", parquet(LARGE))
    trained_in_two_gibibytes(namespace, "large", "large.parquet", 1200, measured)
