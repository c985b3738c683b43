"""Queue and writer: nothing waits, what does not fit is counted, what fits is written sooner or later."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from heart_api.predictionlog import PredictionLog
from heart_serving.predictionlog import writer as writer_module
from heart_serving.predictionlog.recorder import Queue
from heart_serving.predictionlog.rows import Row
from heart_serving.predictionlog.sinks import RowsRejected, Unavailable
from heart_serving.predictionlog.writer import Writer
from heart_serving.protocols.answers import Answers

ANSWERS = Answers("binary", (0, 1), ("healthy", "disease"), 0.5)
MARKER = "marker-4711"


class Sink:
    """A database that is down when it is told to be."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.trouble: Exception | None = None
        self.attempts = 0
        self.answering = threading.Event()
        self.answering.set()

    def write(self, rows: list[Row]) -> None:
        self.attempts += 1
        self.answering.wait(30)
        if self.trouble:
            raise self.trouble
        self.rows += rows


class Log:
    """A queue with a writer that runs."""

    def __init__(self, max_rows: int = 1000, **spec: Any) -> None:
        self.dropped: Counter[str] = Counter()
        self.queue = Queue(PredictionLog(**spec), self.dropped, max_rows)
        self.sink = Sink()
        self.writer = Writer(self.queue, ANSWERS, lambda: self.sink, self.dropped, spec.get("labels", ()))

    def offer(
        self, request_id: str, *chances: float, shadow: bool = False, labels: str | None = None, **record: Any
    ) -> None:
        outputs = np.array([[1 - chance, chance] for chance in chances], np.float32)
        self.queue.offer((request_id, [record or {"age": 54}] * len(chances), outputs, shadow, None, labels))

    def written(self) -> list[tuple[str, int]]:
        return [(row["request_id"], row["row_index"]) for row in self.sink.rows]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Log]]:
    """Makes logs that run, and closes them; their pauses are short."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "IDLE_SECONDS"):
        monkeypatch.setattr(writer_module, name, 0.01)
    made: list[Log] = []

    def make(*, started: bool = True, **options: Any) -> Log:
        made.append(Log(**options))
        if started:
            made[-1].writer.start()
        return made[-1]

    yield make
    for each in made:
        each.sink.answering.set()
        each.sink.trouble = None
        each.writer.close(5)


def until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.005)


def test_requests_become_rows(log: Callable[..., Log]) -> None:
    kept = log()
    kept.offer("a", 0.75, 0.25, age=61, sex=None)
    until(lambda: kept.writer.written == 2)
    first, second = kept.sink.rows
    assert {**first, "time": ""} == {
        "request_id": "a",
        "row_index": 0,
        "time": "",
        "features": {"age": 61, "sex": None},
        "outputs": [0.25, 0.75],
        "label": "disease",
        "shadow": False,
    }
    assert (second["row_index"], second["label"]) == (1, "healthy")
    assert kept.queue.rows == 0


def test_copies_are_marked(log: Callable[..., Log]) -> None:
    kept = log()
    kept.offer("a", 0.75, shadow=True)
    until(lambda: kept.sink.rows)
    assert kept.sink.rows[0]["shadow"] is True


def test_redacted_values_never_wait_anywhere(log: Callable[..., Log]) -> None:
    kept = log(started=False, redact=("name",))
    kept.offer("a", 0.75, age=61, name=MARKER)
    assert MARKER not in repr(kept.queue.take(1))


def test_a_share_of_the_requests_is_chosen_by_their_ids(log: Callable[..., Log]) -> None:
    ids = [f"request-{number}" for number in range(2000)]
    chosen = []
    for _ in range(2):  # another pod, another attempt
        kept = log(started=False, max_rows=10_000, sample_percent=20)
        for request_id in ids:
            kept.offer(request_id, 0.5)
        chosen.append([entry.request_id for entry in kept.queue.take(10_000)])
        assert kept.dropped.total() == 0
    assert chosen[0] == chosen[1]
    assert 320 <= len(chosen[0]) <= 480


@pytest.mark.parametrize(("percent", "kept_rows"), [(0, 0), (100, 50)])
def test_none_and_all_are_exact(log: Callable[..., Log], percent: int, kept_rows: int) -> None:
    kept = log(started=False, sample_percent=percent)
    for number in range(50):
        kept.offer(str(number), 0.5)
    assert kept.queue.rows == kept_rows


def test_what_does_not_fit_is_counted_and_what_fits_is_written_when_the_database_is_back(
    log: Callable[..., Log], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = log(max_rows=100)
    kept.sink.trouble = Unavailable("OperationalError 57P03")
    for number in range(130):
        kept.offer(str(number), 0.5)
    until(lambda: kept.sink.attempts > 3)
    assert kept.queue.rows == 100
    assert kept.dropped == {"queue_full": 30}
    kept.sink.trouble = None
    until(lambda: kept.queue.rows == 0)
    assert kept.written() == [(str(number), 0) for number in range(100)]
    assert kept.writer.errors > 3
    told = [record.getMessage() for record in caplog.records if "prediction log" in record.getMessage()]
    assert len(told) == 2, "one line when trouble begins, one when it is over"
    assert "57P03" in told[0]


def test_a_hanging_database_holds_up_no_prediction(log: Callable[..., Log]) -> None:
    kept = log(max_rows=10)
    kept.sink.answering.clear()
    kept.offer("first", 0.5)
    until(lambda: kept.sink.attempts)
    for number in range(20):
        kept.offer(str(number), 0.5)
    assert kept.dropped["queue_full"] == 11
    kept.sink.answering.set()
    until(lambda: kept.writer.written == 10)


def test_rows_that_are_rejected_do_not_stop_the_others(log: Callable[..., Log]) -> None:
    kept = log()
    kept.sink.trouble = RowsRejected("DataError 22P05")
    kept.offer("bad", 0.5)
    until(lambda: kept.dropped["rejected"] == 1)
    kept.sink.trouble = None
    kept.offer("good", 0.5)
    until(lambda: kept.written() == [("good", 0)])


def test_an_unforeseen_error_ends_neither_the_thread_nor_says_what_it_saw(
    log: Callable[..., Log], caplog: pytest.LogCaptureFixture
) -> None:
    kept = log()
    kept.sink.trouble = TypeError(f"cannot write {MARKER}")
    kept.offer("bad", 0.5, name=MARKER)
    until(lambda: kept.dropped["rejected"] == 1)
    kept.sink.trouble = None
    kept.offer("good", 0.5)
    until(lambda: kept.sink.rows)
    assert MARKER not in caplog.text


def test_large_requests_are_written_in_parts(log: Callable[..., Log]) -> None:
    kept = log(max_rows=5000)
    kept.offer("large", *[0.5] * 2345)
    until(lambda: kept.writer.written == 2345)
    assert kept.sink.attempts == 3
    assert kept.written() == [("large", index) for index in range(2345)]


@pytest.mark.parametrize("load", [0.0, 0.5, 1.0])
def test_the_writer_leaves_the_core_to_the_predictions(monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    """Batches of 5 ms, one after the other, on a server whose requests use this share of a core."""
    clocks = [0.0, 0.0, 0.0]
    monkeypatch.setattr(writer_module.Rest, "_clocks", staticmethod(lambda: tuple(clocks)))
    rest = writer_module.Rest()
    while clocks[0] < 60:
        pause = 0.005 + rest.owed()
        clocks[0], clocks[1], clocks[2] = clocks[0] + pause, clocks[1] + 0.005 + load * pause, clocks[2] + 0.005
    share = clocks[2] / clocks[0]
    allowed = writer_module.SHARE * (load + share) + writer_module.ALWAYS
    assert 0.8 * allowed < share < 1.1 * allowed


def test_closing_writes_what_waits(log: Callable[..., Log]) -> None:
    kept = log()
    kept.sink.trouble = Unavailable("down")
    for number in range(600):
        kept.offer(str(number), 0.5)
    until(lambda: kept.sink.attempts)
    kept.sink.trouble = None
    kept.writer.close(10)
    assert len(kept.sink.rows) == 600
    assert kept.dropped.total() == 0


def test_closing_gives_up_in_time_and_counts_what_is_lost(log: Callable[..., Log]) -> None:
    kept = log()
    kept.sink.trouble = Unavailable("down")
    kept.offer("a", 0.5, 0.5)
    kept.offer("b", 0.5)
    kept.writer.close(0.3)
    assert kept.dropped == {"shutdown": 3}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("site=hospital-01", {"site": "hospital-01"}),
        ("site=hospital-01,visit=9", {"site": "hospital-01"}),
        ("visit=9", None),
        ("site=a b", None),
        (None, None),
    ],
)
def test_declared_labels_are_logged_and_no_others(log, sent: str | None, kept: dict[str, str] | None) -> None:
    """What is not declared would make as many values as a client invents."""
    found = log(labels=("site", "ward"))
    found.offer("a", 0.5, labels=sent)
    found.writer.close(30)
    (row,) = found.sink.rows
    assert row.get("labels") == kept
    assert "site" not in row["features"]


def test_without_declared_labels_none_is_logged(log) -> None:
    found = log()
    found.offer("a", 0.5, labels="site=a")
    found.writer.close(30)
    assert "labels" not in found.sink.rows[0]
