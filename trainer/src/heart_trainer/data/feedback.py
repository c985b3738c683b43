"""`dataset.includeFeedback`: predictions whose outcome is known, as further rows of the file.

They come as the text that a file would hold, so that the contract, row keys and duplicates are the same for both.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from heart_api.contract import Feature, Target
from heart_api.handover import Env, JobRequest
from heart_log.database import BadUrl, open_database, plain
from heart_log.read import read_labelled
from heart_log.values import Outcome, Prediction
from heart_trainer.data.columns import text_column
from heart_trainer.data.contract import CheckedRows, Contract, check_rows
from heart_trainer.data.sources.fetch import digest
from heart_trainer.data.target import texts_of_classes
from heart_trainer.errors import DataInvalid, SourceError

MOST = 100_000
"""The newest outcomes; a training of more belongs into the dataset."""
WHERE = "The labelled rows of the prediction log (spec.dataset.includeFeedback)"


def add_feedback(
    file: CheckedRows, sha256: str, request: JobRequest, environ: Mapping[str, str]
) -> tuple[CheckedRows, str]:
    """Return the file's rows followed by those of the prediction log, and the SHA-256 of both together. Raises
    TrainerError.
    """
    found = fetch_labelled(request.name, environ)
    if not found:
        return file, sha256
    texts = as_text(found, file.target, request)
    # Missing values are null in the log, whatever the file writes for them.
    dataset = request.dataset.model_copy(update={"missing_values": ()})
    features = tuple(feature.model_copy(update={"missing_values": ()}) for feature in request.features)
    columns = {str(name): text_column(values) for name, values in texts.items()}
    try:
        rows = check_rows(columns, Contract(features, request.target, dataset))
    except DataInvalid as error:
        raise DataInvalid(f"{WHERE}, newest first: {error.message}") from None
    content = json.dumps([sha256, *sorted(map(list, texts.itertuples(index=False)), key=str)])
    encoded = pd.concat([file.encoded, rows.encoded], ignore_index=True)
    target = pd.concat([file.target, rows.target], ignore_index=True)
    return CheckedRows(encoded, target), digest(content.encode())


def fetch_labelled(model: str, environ: Mapping[str, str]) -> list[Prediction]:
    """Return the model's logged predictions whose outcome is known, the latest `MOST`. Raises SourceError."""
    url = environ.get(Env.DATABASE_URL)
    if not url:
        raise SourceError(
            "DatasetUnreachable",
            f"{WHERE} need {Env.DATABASE_URL}: add it to the Secret heartops-runtime of this namespace.",
            permanent=False,
        )
    try:
        with open_database(url).begin() as connection:
            return read_labelled(connection, model, limit=MOST)
    except BadUrl as error:
        raise SourceError("DatasetUnreachable", str(error), permanent=False) from None
    except SQLAlchemyError as error:
        message = f"{WHERE} could not be read: the database says {plain(error)}."
        raise SourceError("DatasetUnreachable", message, permanent=False) from None


def as_text(found: Sequence[Prediction], file: "pd.Series[str]", request: JobRequest) -> pd.DataFrame:
    """Return features and target as a file would have them, a row for each prediction. `file`: its target column."""
    _reject_redacted(found, request.features)
    names = [feature.name for feature in request.features]
    known = texts_of_classes(file, request.target, request.training)
    rows = [
        [*(_text(prediction.features.get(name)) for name in names), _target(prediction.outcome, known, request.target)]
        for prediction in found
    ]
    return pd.DataFrame(rows, columns=[*names, request.target.name], dtype=object)


def _reject_redacted(found: Sequence[Prediction], features: Sequence[Feature]) -> None:
    hidden = {name for prediction in found for name in prediction.redacted}
    needed = [feature.name for feature in features if feature.name in hidden]
    if needed:
        count = sum(any(name in needed for name in prediction.redacted) for prediction in found)
        raise DataInvalid(
            f"{WHERE} lack {', '.join(needed)} in {count} of {len(found)} rows: spec.serving.predictionLog.redact kept"
            " them out. Nothing can be learnt from such rows: set includeFeedback to false until they are gone."
        )


def _target(outcome: Outcome | None, targets: Mapping[str, str], target: Target) -> str:
    if not targets and isinstance(outcome, float):
        return _number(outcome)
    if str(outcome) in targets:
        return targets[str(outcome)]
    known = ", ".join(targets) or "a number"
    raise DataInvalid(
        f"{WHERE} hold outcomes that are no class of {target.name} (now: {known}): an earlier version named them"
        " otherwise. Set includeFeedback to false, or report these outcomes anew."
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return _number(value) if isinstance(value, int | float) else str(value)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
