"""Requests as they came to rows as they are stored: JSON, made in the writer's thread, many at a time."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from heart_api.labels import read_labels
from heart_serving.predictionlog.recorder import Entry
from heart_serving.protocols.answers import Answers

Row = dict[str, Any]


def rows_of(entries: Sequence[Entry], answers: Answers, logged: Collection[str] = ()) -> Iterator[Row]:
    """One object for each record, as `heart_log.write.ROW_FIELDS` names its parts. At least one entry.

    `logged`: names of the labels that the model logs; others are left out.
    """
    joined = np.concatenate([entry.outputs for entry in entries])
    outputs = iter(joined.tolist())
    labels = iter([answers.labels[choice] for choice in answers.chosen(joined)] if answers.classes else ())
    for entry in entries:
        time = datetime.fromtimestamp(entry.time, UTC).replace(tzinfo=None)
        about: Row = {"subject": entry.subject} if entry.subject else {}
        if kept := kept_labels(entry.labels, logged):
            about["labels"] = kept
        for index, record in enumerate(entry.records):
            yield {
                "request_id": entry.request_id,
                "row_index": index,
                "time": time,
                "features": record,
                "outputs": next(outputs),
                "label": next(labels, None),
                "shadow": entry.shadow,
            } | about


def kept_labels(sent: str | None, logged: Collection[str]) -> dict[str, str]:
    """The labels that the caller sent and the model logs; none of a header that cannot be read."""
    if not sent or not logged:
        return {}
    return {name: value for name, value in (read_labels(sent) or {}).items() if name in logged}
