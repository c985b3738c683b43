"""Whether a dataset is trained on in memory or from sums: `spec.training.scale.mode`."""

from dataclasses import dataclass
from pathlib import Path

from heart_api.evaluation import Finding
from heart_api.handover import TrainingRequest
from heart_api.training import Algorithm, Training
from heart_trainer.data.load import contract_of, is_synthetic
from heart_trainer.data.sources.limits import MAX_BYTES
from heart_trainer.data.sources.stored import StoredFile, is_prefix, stored_files
from heart_trainer.errors import DataInvalid
from heart_trainer.external.memory import memory_limit, memory_needed

IN_PLACE = ("pvc", "s3", "gs")
"""Schemes whose files are read where they are; others are within today's bounds of a download."""


MEMORY = "give the pod more memory (spec.training.resources) and set spec.training.scale.mode to Single."


@dataclass(frozen=True)
class Scale:
    """`external`: train in chunks; then `files` are the dataset's, `family` is the one that is trained."""

    external: bool
    why: str
    files: tuple[StoredFile, ...] = ()
    family: Algorithm = "logistic-regression"
    synthetic: bool = False

    @property
    def finding(self) -> Finding:
        message = f"{self.why}; only {self.family} is trained, other families were not tried"
        return Finding(name="scale", verdict="Passed", message=message)


def decide(request: TrainingRequest, data: Path | None) -> Scale:
    """Raises SourceError, or DataInvalid where External is requested and cannot be done."""
    training, contract, synthetic = request.training, contract_of(request, data), is_synthetic(request, data)
    mode = training.scale.mode
    family = family_of(training)
    offered = training.algorithms is None or family in training.algorithms
    in_chunks = mode in ("External", "Distributed")
    in_place = data is not None or request.dataset.uri.split("://")[0] in IN_PLACE
    if mode == "Single" or (mode == "Auto" and not (in_place and offered and _has_sums(request))):
        return Scale(False, "in memory")
    if in_chunks:
        _check_possible(request, family, offered)
    files = stored_files(request.dataset, request.access, data)
    try:
        needed, limit = memory_needed(files, contract), memory_limit()
    except DataInvalid:
        if in_chunks:
            raise
        return Scale(False, "in memory: the dataset's rows could not be counted without reading it")
    sizes = f"about {needed >> 20} MiB of memory for a training in memory, the pod has {limit >> 20} MiB"
    if in_chunks:
        return Scale(True, f"{mode} by spec.training.scale.mode ({sizes})", files, family, synthetic)
    largest = max(file.size for file in files)
    if needed <= limit and (largest <= MAX_BYTES or is_prefix(request.dataset)):
        return Scale(False, f"in memory by spec.training.scale.mode Auto ({sizes})")
    return Scale(True, f"External by spec.training.scale.mode Auto ({sizes})", files, family, synthetic)


def family_of(training: Training) -> Algorithm:
    """The one that is trained in chunks: a linear one, unless `algorithms` leave it out and name xgboost."""
    linear: Algorithm = "ridge" if training.task == "regression" else "logistic-regression"
    named = training.algorithms or ()
    return "xgboost" if "xgboost" in named and linear not in named else linear


def _has_sums(request: TrainingRequest) -> bool:
    """Whether the spec says nothing that External rejects."""
    return not request.dataset.include_feedback and len(request.target.labels or ()) <= 2


def _check_possible(request: TrainingRequest, family: Algorithm, offered: bool) -> None:
    mode = request.training.scale.mode
    if not offered:
        named = ", ".join(request.training.algorithms or ())
        raise DataInvalid(
            f"spec.training.algorithms names {named}; {mode} trains {family} or xgboost. Add one of them, or {MEMORY}"
        )
    if request.dataset.include_feedback:
        raise DataInvalid(f"spec.dataset.includeFeedback is not read in mode {mode}: turn it off, or {MEMORY}")
