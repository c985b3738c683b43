"""Requests as they came to rows as they are stored: JSON, made in the writer's thread, many at a time."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from heart_serving.predictionlog.recorder import Entry
from heart_serving.protocols.answers import Answers

Row = dict[str, Any]


def rows_of(entries: Sequence[Entry], answers: Answers) -> Iterator[Row]:
    """One object for each record, as `heart_log.write.ROW_FIELDS` names its parts. At least one entry."""
    joined = np.concatenate([entry.outputs for entry in entries])
    outputs = iter(joined.tolist())
    labels = iter([answers.labels[choice] for choice in answers.chosen(joined)] if answers.classes else ())
    for entry in entries:
        time = datetime.fromtimestamp(entry.time, UTC).replace(tzinfo=None)
        about = {"subject": entry.subject} if entry.subject else {}
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
