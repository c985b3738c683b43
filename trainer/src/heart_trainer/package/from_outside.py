"""The file to serve of a model that was not fitted here: from a notebook, or by a trainer of one's own."""

from typing import Any

from heart_api.handover import TrainingRequest
from heart_api.package import ServingPackage
from heart_trainer.errors import NotServable
from heart_trainer.fit.onnx_export import attach_package, is_double
from heart_trainer.package.explanation import by_answers
from heart_trainer.package.reference_rows import reference_rows
from heart_trainer.values import Table


def packaged(
    converted: bytes, table: Table, request: TrainingRequest, algorithm: str, refused: str, **more: Any
) -> bytes:
    """The ONNX file with what its checks need, and `more` of a ServingPackage's fields.

    Raises NotServable, which says `refused` and what the runtime says, for a file that cannot be run.
    """
    try:
        reference = reference_rows(converted, table, request.features)
    except Exception as error:  # the runtime's errors have no common base
        raise NotServable(f"{refused}: {error}"[:1000]) from error
    package = ServingPackage(
        registry_name=request.registry_name,
        task=table.task,
        algorithm=algorithm,
        features=request.features,
        target=request.target,
        classes=table.classes,
        double=is_double(converted),
        synthetic=table.synthetic,
        reference=reference,
        explanation=by_answers(table),
        **more,
    )
    return attach_package(converted, package)
