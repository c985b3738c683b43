"""Requests as they came to rows as they are stored: JSON, made in the writer's thread."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from heart_serving.answers import Answers
from heart_serving.predictionlog.recorder import Entry

Row = dict[str, Any]


def rows_of(entries: Iterable[Entry], answers: Answers) -> Iterator[Row]:
    """One object for each record, as `heart_log.write.ROW_FIELDS` names its parts."""
    for entry in entries:
        time = datetime.fromtimestamp(entry.time, UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        labels = [answers.labels[choice] for choice in answers.chosen(entry.outputs)] if answers.classes else None
        for index, (record, outputs) in enumerate(zip(entry.records, entry.outputs.tolist(), strict=True)):
            yield {
                "request_id": entry.request_id,
                "row_index": index,
                "time": time,
                "features": record,
                "outputs": outputs,
                "label": labels[index] if labels else None,
                "shadow": entry.shadow,
            }
