"""The connection to MLflow: bounded in time, its errors in words, runs that always end."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus
from mlflow.exceptions import MlflowException

from heart_api.handover import Env
from heart_trainer.errors import TrainerError
from heart_trainer.redaction import redact

LAST_WORDS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""While being killed: what is left of the pod's grace period."""

LONGEST_PARAM, MOST_PARAMS, MOST_METRICS = 6000, 100, 500
"""MLflow's bounds of one request."""


class RegistryUnavailable(TrainerError):
    """MLflow did not answer, or answered with an error. Not permanent: the Job is tried again."""

    def __init__(self, uri: str, error: Exception) -> None:
        first = (str(error).splitlines() or [type(error).__name__])[0][:500]
        message = f"MLflow at {uri} failed: {first}. Check that it runs and can be reached from here"
        super().__init__("RegistryUnavailable", redact(message), permanent=False)


def renew_token() -> None:
    """Hand the ServiceAccount's token to MLflow's client: the kubelet replaces the file while a long training runs."""
    if path := os.environ.get(Env.REGISTRY_TOKEN_FILE):
        os.environ["MLFLOW_TRACKING_TOKEN"] = Path(path).read_text().strip()


class Store:
    """An MLflow server (or SQLite file). Every method raises RegistryUnavailable when it cannot be reached."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        with self.speaking():
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)
            self.client = MlflowClient(uri, uri)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        try:
            renew_token()
            yield
        except (MlflowException, requests.RequestException, OSError, ImportError) as error:
            raise RegistryUnavailable(self.uri, error) from error

    def experiment(self, name: str) -> str:
        """The id of the experiment; made, or brought back from deletion, when needed."""
        with self.speaking():
            found = self.client.get_experiment_by_name(name)
            if found is None:
                with suppress(MlflowException):  # another Job may have made it just now
                    return str(self.client.create_experiment(name))
                found = self.client.get_experiment_by_name(name)
                if found is None:
                    raise MlflowException(f"experiment {name} can be neither made nor found")
            elif found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)

    def close_running(self, experiment: str, tag: str, value: str) -> int:
        """End as KILLED the runs that an earlier pod left RUNNING; returns how many."""
        with self.speaking():
            clause = f"tags.`{tag}` = '{value}' and attributes.status = 'RUNNING'"
            runs = self.client.search_runs([experiment], clause)
            for run in runs:
                self.client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))
            return len(runs)

    @contextmanager
    def run(self, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[str]:
        """A run that ends whatever happens: FINISHED, FAILED, or KILLED on SIGTERM and Ctrl-C."""
        with self.speaking():
            run_id = self.client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id
        try:
            yield run_id
        except KeyboardInterrupt:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not cut the last words short
            os.environ.update(LAST_WORDS)
            self._end(run_id, RunStatus.KILLED)
            raise
        except BaseException:
            self._end(run_id, RunStatus.FAILED)
            raise
        else:
            self._end(run_id, RunStatus.FINISHED)

    def _end(self, run_id: str, status: int) -> None:
        """The operator closes what this cannot: an unreachable MLflow must not hide why the run ended."""
        with suppress(TrainerError), self.speaking():
            self.client.set_terminated(run_id, RunStatus.to_string(status))

    def read(self, artifact_uri: str) -> bytes:
        """The bytes of one artifact, as MLflow gives them out."""
        with self.speaking(), TemporaryDirectory() as folder:
            found = mlflow.artifacts.download_artifacts(artifact_uri=artifact_uri, dst_path=folder)
            return Path(found).read_bytes()

    def read_model(self, model_id: str, path: str) -> bytes:
        """Bytes of a file of a logged model; `path` is relative to its folder. Raises RegistryUnavailable."""
        with self.speaking():
            root = self.client.get_logged_model(model_id).artifact_location
        return self.read(f"{root}/{path}")

    def read_version(self, name: str, version: str, path: str) -> bytes:
        """Bytes of a file of a registered version; `path` is relative to its folder. Raises RegistryUnavailable."""
        with self.speaking():
            root = self.client.get_model_version_download_uri(name, version)
        return self.read(f"{root.rstrip('/')}/{path}")

    def read_run(self, run_id: str, path: str) -> bytes:
        return self.read(f"runs:/{run_id}/{path}")

    def log_folder(self, run_id: str, folder: Path) -> None:
        with self.speaking():
            self.client.log_artifacts(run_id, str(folder))

    def log_values(self, run_id: str, params: Mapping[str, str], metrics: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        noted = [Param(key, value[:LONGEST_PARAM]) for key, value in params.items()]
        measured = [Metric(key, float(value), now, 0) for key, value in metrics.items()]
        with self.speaking():
            self.client.log_batch(run_id, params=noted[:MOST_PARAMS])
            for start in range(0, len(measured), MOST_METRICS):
                self.client.log_batch(run_id, metrics=measured[start : start + MOST_METRICS])
