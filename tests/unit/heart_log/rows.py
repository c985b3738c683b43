"""Rows as serving makes them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from heart_log.values import Source
from heart_log.write import store_predictions

NOW = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)
SEVENTH, EIGHTH = Source("heart", "7", "sha256:77"), Source("heart", "8", "sha256:88")
PATIENT = {"age": 54.1, "sex": 1, "cp": 'it\'s "typical" \\ or not', "exang": False, "vessels": None}


def row(request_id: str, index: int = 0, **more: Any) -> dict[str, Any]:
    time = more.pop("time", NOW)
    same = {"features": PATIENT, "outputs": [0.25, 0.75], "label": "disease", "shadow": False}
    return {"request_id": request_id, "row_index": index, "time": str(time.replace(tzinfo=None)), **same, **more}


def store(engine: Engine, source: Source, *rows: dict[str, Any]) -> int:
    with engine.begin() as connection:
        return store_predictions(connection, source, json.dumps(rows))


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)
