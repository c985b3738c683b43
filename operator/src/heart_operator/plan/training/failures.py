"""Why a training ended badly, and what a person does next."""

from heart_api.names import Annotation, Reason
from heart_operator.plan.observed import TrainingJob

HINTS = {
    "OOMKilled": "raise spec.training.resources.limits.memory (the runtime profile may cap it) or train on fewer rows",
    "DeadlineExceeded": "raise spec.training.timeoutSeconds, or lower spec.training.tuning.trials",
    "Evicted": "the node was short of memory or disk: set spec.training.resources.requests to what it needs",
    "ImagePull": "the trainer image cannot be pulled: ask the administrator to check the runtime profile's images",
    "ErrImagePull": "the trainer image cannot be pulled: ask the administrator to check the runtime profile's images",
}
AGAIN = (
    "It is not retried until the spec's dataset, target, features or training change, or the annotation "
    f"{Annotation.RETRAIN} gets a new value"
)


def failure_of(job: TrainingJob, what: str = "Training", again: str = AGAIN) -> tuple[str, str]:
    """Reason and message for a Job that registered (or measured) nothing."""
    if job.failure:
        return job.failure.reason, f"{sentence(job.failure.message)} {again} (Job {job.name})"
    why = job.why or "it ended without saying why"
    hint = hint_for(job, why)
    return Reason.TRAINING_FAILED, f"{what} ended early: {why}; {hint}. {again} (Job {job.name})"


def hint_for(job: TrainingJob, why: str) -> str:
    if job.blocked:
        return job.blocked.advice
    return next((hint for word, hint in HINTS.items() if word in why), f"see kubectl logs job/{job.name}")


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
