"""One worker's part of a training on several pods. Imported only where there are several."""

from collections.abc import Callable, Mapping
from pathlib import Path

from heart_api.handover import TrainingRequest
from heart_trainer.data.load import contract_of
from heart_trainer.data.sources.stored import digest_of
from heart_trainer.errors import DataInvalid
from heart_trainer.external.collective import join
from heart_trainer.external.decide import Scale, decide
from heart_trainer.external.peers import of_the_first
from heart_trainer.external.place import Place
from heart_trainer.external.train import ExternalResult, finish, learn

Progress = Callable[[str], None]


def follow(
    request: TrainingRequest, place: Place, environ: Mapping[str, str], data: Path | None, progress: Progress
) -> None:
    """The part of every worker but the first. Raises TrainerError."""
    with join(place, request.training.timeout_seconds, progress) as group:
        if of_the_first(group, None):
            scale = decide(request, data)
            check_workers(request, group.count)
            learn(request, contract_of(request, data), scale, environ, group, progress)
            progress("done: the first worker measures, converts and registers")
        else:
            progress("done: the first worker found nothing to train")


def lead(
    request: TrainingRequest,
    place: Place,
    scale: Scale,
    environ: Mapping[str, str],
    data: Path | None,
    progress: Progress,
) -> ExternalResult:
    """The part of the first worker. Raises TrainerError."""
    contract = contract_of(request, data)
    sha256 = digest_of(scale.files, request.dataset)
    with join(place, request.training.timeout_seconds, progress) as group:
        of_the_first(group, True)
        check_workers(request, group.count)
        prepared, learned = learn(request, contract, scale, environ, group, progress)
    return finish(request, contract, scale, sha256, prepared, learned, environ, progress)


def dismiss(request: TrainingRequest, place: Place, progress: Progress) -> None:
    """Tells the others that there is nothing to train."""
    with join(place, request.training.timeout_seconds, progress) as group:
        of_the_first(group, False)


def check_workers(request: TrainingRequest, found: int) -> None:
    """Another number would train another model than the trigger stands for."""
    if found != request.training.scale.workers:
        raise DataInvalid(
            f"{found} workers run, and spec.training.scale.workers says {request.training.scale.workers}."
        )
