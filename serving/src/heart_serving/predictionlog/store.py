"""The log's database, as serving uses it: every call is one short transaction, from whatever thread."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from heart_api.handover import ExperimentTarget
from heart_log.arms import MOST_VALUES, accuracy, mean_outcome, read_arm
from heart_log.database import open_database, plain
from heart_log.read import read_outcomes, read_outputs
from heart_log.tables import feedback, predictions
from heart_log.values import ArmSums, Key, Outcome, Scored, Source, Stored
from heart_log.write import delete_older, store_outcomes, store_predictions
from heart_serving.predictionlog.rows import Row
from heart_serving.predictionlog.sinks import RowsRejected, Unavailable

NEWEST = 2000
"""Live figures rest on so many predictions at most: enough for an interval of four points, and cheap to ask for."""
OUTCOME_WINDOW = timedelta(days=30)
"""By the time of the outcome, which may come weeks after its prediction."""
OUTPUT_WINDOW = timedelta(days=1)
DELETED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Store:
    engine: Engine
    source: Source

    @classmethod
    def open(cls, url: str, source: Source) -> "Store":
        """SQLite is made ready here: a laptop has no migration Job. Raises heart_log.database.BadUrl."""
        store = cls(open_database(url), source)
        if store.engine.dialect.name == "sqlite":
            from heart_log.migrate import migrate  # noqa: PLC0415  a pod has no use for Alembic, and its memory counts

            with store._transaction() as connection:
                migrate(connection)
        return store

    def write(self, rows: list[Row]) -> None:
        """A batch that is tried again leaves what is stored as it is."""
        batch = orjson.dumps(rows).decode()
        with self._transaction() as connection:
            store_predictions(connection, self.source, batch)

    def report(self, outcomes: Mapping[Key, Outcome], now: datetime, author: str) -> Stored:
        with self._transaction() as connection:
            return store_outcomes(connection, self.source.model, outcomes, now, author)

    def known(self, now: datetime) -> tuple[list[Scored], list[Scored]]:
        """This version's newest predictions with outcomes, and its newest predictions."""
        model, version = self.source.model, self.source.version
        with self._transaction() as connection:
            outcomes = read_outcomes(connection, model, version, now - OUTCOME_WINDOW, limit=NEWEST)
            return outcomes, read_outputs(connection, model, version, now - OUTPUT_WINDOW, limit=NEWEST)

    def arms(self, target: ExperimentTarget, ending: str, labels: Sequence[str]) -> dict[str, ArmSums]:
        """Outcomes of both groups. `ending`: of the ids of requests that count for this version's."""
        add_up = accuracy if target.metric == "Accuracy" else mean_outcome
        most = None if labels else MOST_VALUES
        with self._transaction() as connection:
            mine = read_arm(connection, self.source.model, self.source.version, target.since, ending, most)
            its = read_arm(connection, self.source.model, target.version, target.since, most=most)
        return {"stable": add_up(mine, labels), "candidate": add_up(its, labels)}

    def forget(self, before: datetime) -> int:
        """Deletes some of the model's older rows; 0 when none is left."""
        with self._transaction() as connection:
            tables = (predictions, feedback)
            return sum(delete_older(connection, table, self.source.model, before, DELETED_AT_ONCE) for table in tables)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction whose database errors become RowsRejected (constraint, value) or Unavailable (all others)."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except (DataError, IntegrityError) as error:
            raise RowsRejected(plain(error)) from None
        except SQLAlchemyError as error:
            raise Unavailable(plain(error)) from None
