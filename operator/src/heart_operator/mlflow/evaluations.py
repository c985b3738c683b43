"""Evaluations in the registry: each is read once, and kept by the digest that its Job returned."""

import hashlib
from dataclasses import dataclass

from pydantic import ValidationError

from heart_api.evaluation import EVALUATION_PATH, Evaluation
from heart_operator.mlflow.calls import RegistryCalls, RegistryUnavailable
from heart_operator.plan.selection.selection import Selection

MAX_EVALUATION = 4 * 1024 * 1024
KEPT_EVALUATIONS = 256


@dataclass(frozen=True, slots=True)
class EvaluationRef:
    """Where an evaluation lies, and the digest that a training Job returned for it."""

    version: str
    run_id: str
    sha256: str


def wanted_evaluation(selection: Selection) -> EvaluationRef | None:
    """The evaluation that the gate will need; None: nothing is to be judged, or a Job has yet to measure it."""
    version = selection.version
    if version is None or not version.evaluation_sha256:
        return None
    return EvaluationRef(version.version, version.run_id, version.evaluation_sha256)


class Evaluations:
    """The most recently requested evaluations."""

    def __init__(self, calls: RegistryCalls) -> None:
        self._calls = calls
        self._known: dict[str, Evaluation] = {}

    async def read(self, uri: str, ref: EvaluationRef) -> tuple[Evaluation | None, str | None]:
        """The evaluation, or why it cannot be used."""
        if (known := self._known.get(ref.sha256)) is not None:
            return known, None
        try:
            content = await self._calls.call(
                uri, lambda backend: backend.read_artifact(ref.run_id, EVALUATION_PATH, MAX_EVALUATION)
            )
        except RegistryUnavailable as error:
            return None, str(error)
        evaluation, problem = check_evaluation(content, ref)
        if evaluation:
            self._keep(ref.sha256, evaluation)
        return evaluation, problem

    def _keep(self, sha256: str, evaluation: Evaluation) -> None:
        if len(self._known) >= KEPT_EVALUATIONS:
            self._known.pop(next(iter(self._known)))
        self._known[sha256] = evaluation


def check_evaluation(content: bytes, ref: EvaluationRef) -> tuple[Evaluation | None, str | None]:
    """The evaluation when its bytes have the digest that the Job returned."""
    where = f"{EVALUATION_PATH} of version {ref.version}"
    if len(content) > MAX_EVALUATION:
        return None, f"{where} is larger than {MAX_EVALUATION} bytes"
    digest = hashlib.sha256(content).hexdigest()
    if digest != ref.sha256.removeprefix("sha256:"):
        return None, f"{where} is not the file that the training wrote: its digest differs"
    try:
        return Evaluation.model_validate_json(content), None
    except ValidationError as error:
        return None, f"{where} cannot be read: {error.error_count()} fields are missing or wrong"
