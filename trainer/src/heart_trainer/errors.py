"""What can go wrong in a training, as a person should read it.

TrainerError
├── SourceError      the data could not be fetched, or must not be
├── DataInvalid      the file broke the contract: nothing but another file or contract mends it
│   └── ColumnsMissing   columns of the contract are not in the file
├── ExportFailed     the fitted model has no faithful ONNX form
├── NoRowKey         a Job without the key that hashes rows and seals versions
├── NotServable      a model made elsewhere is not one that serving could answer with
└── TrainerFailed    a trainer of one's own ended badly, or returned nothing that can be judged
"""

from heart_api.handover import FailureReason


class TrainerError(Exception):
    """Ends a training with a reason for the model's condition.

    `permanent`: a retry cannot mend it (the Job exits with EXIT_PERMANENT).
    """

    def __init__(self, reason: FailureReason, message: str, permanent: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.permanent = permanent


class SourceError(TrainerError):
    """The dataset could not be read: DatasetUnreachable (worth a retry), DatasetNotAllowed or DatasetDigestMismatch."""


class DataInvalid(TrainerError):
    """The rows and columns that broke the contract, and the bounds they broke; never a value."""

    def __init__(self, message: str) -> None:
        super().__init__("DataInvalid", message, permanent=True)


class ColumnsMissing(DataInvalid):
    """`columns`: those of the contract that the file does not have, by the names that they have there."""

    def __init__(self, message: str, columns: tuple[str, ...]) -> None:
        super().__init__(message)
        self.columns = columns


class NoRowKey(TrainerError):
    """A Job must not hash rows, nor seal a version, with a key that everybody knows."""

    def __init__(self, namespace: str) -> None:
        message = (
            f"the Secret heartops-runtime of namespace {namespace} has no HEARTOPS_ROW_KEY: run `kubectl heart"
            f" init-namespace {namespace}`, then `kubectl heart retrain`"
        )
        super().__init__("RowKeyMissing", message, permanent=True)


class ExportFailed(TrainerError):
    def __init__(self, message: str) -> None:
        super().__init__("ExportFailed", message, permanent=True)


class NotServable(TrainerError):
    def __init__(self, message: str) -> None:
        super().__init__("NotServable", message, permanent=True)


class TrainerFailed(TrainerError):
    """The same rows and settings would end the same way: nothing is tried again."""

    def __init__(self, message: str) -> None:
        super().__init__("TrainerFailed", message, permanent=True)
