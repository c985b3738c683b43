"""The rows that a check looks at, out of the prediction log."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from heart_api.drift import CheckRequest
from heart_api.durations import seconds
from heart_api.handover import Env
from heart_log.database import BadUrl, open_database, plain
from heart_log.read import read_outcomes, read_outputs, read_window
from heart_log.values import Prediction, Scored
from heart_trainer.drift.errors import CheckError

MOST_ROWS = 50_000
"""The newest of a window; more say nothing new and would not fit into the Job's memory."""


@dataclass(frozen=True)
class Windows:
    """Predictions of the version that serves: of the window, of the one before, and what quality is judged by."""

    latest: Sequence[Prediction] = ()
    before: Sequence[Prediction] = ()
    scored: Sequence[Scored] = ()


def read_windows(request: CheckRequest, environ: Mapping[str, str]) -> Windows:
    """The rows of both drift windows and of the performance window that the request asks for.

    Raises CheckError (LogUnavailable) if the database is not configured, unreachable or cannot be read.
    """
    until, version = datetime.fromisoformat(request.until), request.serving.version
    found = Windows()
    with _connected(environ) as connection:
        if request.drift:
            length = timedelta(seconds=seconds(request.drift.window))
            ends = (until, until - length)
            latest, before = (
                read_window(
                    connection,
                    request.name,
                    end - length,
                    end,
                    version=version,
                    limit=MOST_ROWS,
                    where=request.where or {},
                )
                for end in ends
            )
            found = Windows(latest, before)
        if request.performance:
            since = until - timedelta(seconds=seconds(request.performance.window))
            read = read_outcomes if request.performance.source == "Feedback" else read_outputs
            scored = read(connection, request.name, version, since, limit=MOST_ROWS)
            found = Windows(found.latest, found.before, scored)
    return found


@contextmanager
def _connected(environ: Mapping[str, str]) -> Iterator[Connection]:
    url = environ.get(Env.DATABASE_URL, "")
    if not url:
        raise CheckError(
            "LogUnavailable",
            f"There is no prediction log to check: the Secret heartops-runtime has no {Env.DATABASE_URL}. Let an"
            " administrator set it, and set spec.serving.predictionLog of the HeartModel",
            permanent=True,
        )
    try:
        with open_database(url).connect() as connection:
            yield connection
    except BadUrl as error:
        raise CheckError("LogUnavailable", str(error), permanent=True) from None
    except SQLAlchemyError as error:
        raise CheckError(
            "LogUnavailable", f"The prediction log cannot be read: {plain(error)}", permanent=False
        ) from None
