"""What a Job left in MLflow."""

from pathlib import Path

from mlflow import MlflowClient

from heart_api.evaluation import EVALUATION_PATH, Evaluation
from heart_api.handover import TrainingResult
from heart_trainer.mlflow.seals import sha256


def read_evaluation(client: MlflowClient, result: TrainingResult) -> Evaluation:
    """The evaluation that the result's digest names."""
    content = Path(client.download_artifacts(result.run_id, EVALUATION_PATH)).read_bytes()
    assert sha256(content) == result.evaluation_sha256
    return Evaluation.model_validate_json(content)
