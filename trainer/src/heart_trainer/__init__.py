"""Trains, judges, explains and registers one version of a tabular model."""

import os

MLFLOW_BOUNDS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "120",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""A server that is away fails the attempt within about a minute; the Job's next attempt tries again."""

for _name, _value in MLFLOW_BOUNDS.items():  # here, because MLflow reads some of them when it is imported
    os.environ.setdefault(_name, _value)
