"""What the tests of outages ask a server and its database."""

import re

import httpx
from sqlalchemy import Engine, func, select

from heart_log.tables import predictions
from tests.support.serving.app import CLIENT, Running, outcome_of
from tests.support.serving.tiny_model import RECORD

SECONDS = 30
"""To notice, to reconnect, to write: pauses between attempts end at fifteen."""


def predict(server: Running, records: int = 1) -> None:
    reply = CLIENT.post(f"{server.url}/predict", json=[RECORD] * records)
    assert reply.status_code == 200


def report(server: Running, request_id: str) -> httpx.Response:
    return CLIENT.post(f"{server.url}/feedback", json=outcome_of(request_id, 1), timeout=60)


def metric(server: Running, name: str, labels: str = "") -> float:
    text = server.metrics()
    (found,) = re.findall(rf"^{name}\{{[^}}]*{labels}[^}}]*\}} (\S+)$", text, re.M)
    return float(found)


def stored(engine: Engine, table=predictions) -> int:
    with engine.begin() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0
