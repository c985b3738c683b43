"""One look at the prediction log: from the request to the finding, with a report in MLflow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from heart_api.drift import REPORT_PATH, CheckRequest, CheckResult
from heart_api.handover import Env, Tag
from heart_trainer.drift.decide import Drift, find_drift, judge
from heart_trainer.drift.log import Windows, read_windows
from heart_trainer.drift.performance import judge_performance
from heart_trainer.drift.reference import Reference, read_reference
from heart_trainer.drift.report import render_report
from heart_trainer.mlflow.client import Store

Progress = Callable[[str], None]


@dataclass(frozen=True)
class CheckJob:
    """A check request with the environment, the MLflow server and the progress log of its Job."""

    request: CheckRequest
    environ: Mapping[str, str]
    tracking_uri: str
    progress: Progress


def check(job: CheckJob) -> CheckResult:
    """Compare the prediction log with the serving version's training, and store a report in MLflow.

    Raises CheckError if the reference or the log cannot be read, RegistryUnavailable if MLflow does not answer.
    """
    request = job.request
    store = Store(job.tracking_uri)
    job.progress(f"reading what version {request.serving.version} was trained on")
    reference = read_reference(store, request.registry_name, request.serving, job.environ.get(Env.ROW_KEY, ""))
    windows = read_windows(request, job.environ)
    job.progress(f"{len(windows.latest)} predictions in the window, {len(windows.before)} in the one before")
    drift = find(request, reference, windows)
    result = judged(request, reference, windows, drift)
    if drift is None:
        return result
    report = keep(job, store, result, drift)
    assert result.drift, "drift was judged"
    return result.model_copy(update={"drift": result.drift.model_copy(update={"report": report})})


def find(request: CheckRequest, reference: Reference, windows: Windows) -> Drift | None:
    if request.drift is None:
        return None
    return find_drift(reference.profile, windows.latest, windows.before, request.drift.min_samples)


def judged(request: CheckRequest, reference: Reference, windows: Windows, drift: Drift | None) -> CheckResult:
    version, until = request.serving.version, datetime.fromisoformat(request.until)
    quality = request.performance and judge_performance(
        windows.scored, reference.labels, request.performance, version, until
    )
    return CheckResult(
        drift=judge(drift, request.drift, version, until) if drift and request.drift else None,
        performance=quality or None,
    )


def keep(job: CheckJob, store: Store, result: CheckResult, drift: Drift) -> str:
    """Report and figures in a run of the experiment `<registered model>.checks`; where the report is."""
    request = job.request
    experiment = store.experiment(f"{request.registry_name}.checks")
    store.close_running(experiment, Tag.JOB, request.job)
    tags = {
        Tag.JOB: request.job,
        Tag.MODEL: f"{request.namespace}/{request.name}",
        Tag.VERSION: request.serving.version,
    }
    with store.run(experiment, request.job or request.schedule, tags) as run_id, TemporaryDirectory() as folder:
        (Path(folder) / REPORT_PATH).write_text(render_report(request, result, drift), encoding="utf-8")
        store.log_values(run_id, {"until": request.until}, figures(result, drift))
        store.log_folder(run_id, Path(folder))
    return f"runs:/{run_id}/{REPORT_PATH}"


def figures(result: CheckResult, drift: Drift) -> dict[str, float]:
    """As MLflow's metrics: distance, population stability index and Jensen–Shannon distance of each feature."""
    found: dict[str, float] = {"samples": drift.samples, "drift_share": drift.share(drift.drifted)}
    for shift in drift.latest:
        if shift.test:
            found[f"distance.{shift.name}"] = shift.test.value
        if shift.distances:
            found |= {
                f"psi.{shift.name}": shift.distances.psi,
                f"jensen_shannon.{shift.name}": shift.distances.jensen_shannon,
            }
    if result.performance and result.performance.value is not None:
        found[result.performance.metric] = result.performance.value
    return found
