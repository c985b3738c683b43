"""Predictions and what became of them, from request to metrics, on SQLite."""

import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from heart_api.predictionlog import PredictionLog
from heart_log.database import open_database
from heart_log.read import read_labelled, read_window
from heart_log.tables import predictions
from heart_log.values import Prediction
from heart_serving.auth.settings import AuthSettings
from heart_serving.predictionlog import maintenance as maintenance_module
from heart_serving.predictionlog.maintenance import LogMaintenance
from heart_serving.predictionlog.proofs import read_keys
from heart_serving.predictionlog.settings import LogSettings
from heart_serving.predictionlog.sinks import Unavailable
from tests.support.serving.app import NAME, PROOF_KEY, PROOFS, VERSION, InProcess, in_process, outcome_of
from tests.support.serving.tiny_model import RECORD, tiny_model
from tests.unit.heart_serving.conftest import LABELS

MARKER = "marker-4711"


class Logged:
    """The application with a log that runs."""

    def __init__(self, folder: Path, model: Any = None, auth: AuthSettings | None = None, **spec: Any) -> None:
        self.url = f"sqlite:///{folder}/log.db"
        settings = LogSettings(PredictionLog(**spec), self.url, read_keys(PROOF_KEY))
        more = {"auth": auth} if auth else {}
        self.served: InProcess = in_process(model or tiny_model(labels=LABELS), folder, log=settings, **more)
        self.log = self.served.application.predictions
        if self.log.store:
            self.log.store()
        self.log.start()

    async def post(self, path: str, body: Any, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.served.client.post(path, json=body, headers=named)

    async def report(self, *outcomes: dict[str, Any]) -> Any:
        return await self.post("/feedback", list(outcomes))

    async def metrics(self) -> dict[str, float]:
        text = (await self.served.management.get("/metrics")).text
        return {name: float(value) for name, value in re.findall(r"^([^# ]+) (\S+)$", text, re.M)}

    async def metric(self, name: str, **labels: str) -> float | None:
        labels = {"model_name": NAME, "model_version": VERSION, **labels}
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for key, value in (await self.metrics()).items():
            base, _, rest = key.partition("{")
            if base == name and set(rest.rstrip("}").split(",")) == wanted:
                return value
        return None

    def written(self, count: int) -> list[Prediction]:
        """Predictions once so many are stored."""
        until(lambda: self.log.writer is not None and self.log.writer.written >= count)
        now = datetime.now(UTC)
        with open_database(self.url).begin() as connection:
            return read_window(connection, NAME, now - timedelta(hours=1), now, version=VERSION, limit=1000)

    def labelled(self) -> list[Prediction]:
        with open_database(self.url).begin() as connection:
            return read_labelled(connection, NAME, limit=1000)

    def refresh(self) -> None:
        assert self.log.maintenance is not None
        self.log.maintenance.refresh(datetime.now(UTC))


def until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
async def logged(tmp_path: Path) -> AsyncIterator[Logged]:
    logged = Logged(tmp_path)
    async with logged.served.client:
        yield logged
    logged.log.close()


async def test_a_prediction_is_stored_as_it_was_asked_and_answered(logged: Logged) -> None:
    record = RECORD | {"age": 54.1, "vessels": None}
    answer = (await logged.post("/predict", record)).json()
    (found,) = logged.written(1)
    assert found.features == record
    assert (found.version, found.label) == (VERSION, answer["label"])
    assert found.outputs[1] == pytest.approx(answer["probability"], abs=1e-6)
    assert await logged.metric("prediction_log_written_total") == 1
    assert await logged.metric("prediction_log_queue_rows") == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", [RECORD, RECORD]),
        ("/invocations", {"dataframe_records": [RECORD, RECORD]}),
        (f"/v1/models/{NAME}:predict", {"instances": [RECORD, RECORD]}),
        (
            f"/v2/models/{NAME}/infer",
            {
                "inputs": [
                    {"name": "age", "datatype": "FP32", "shape": [2], "data": [54, 54]},
                    {"name": "sex", "datatype": "INT64", "shape": [2], "data": [1, 1]},
                    {"name": "cp", "datatype": "BYTES", "shape": [2], "data": ["typical", "typical"]},
                    {"name": "vessels", "datatype": "INT64", "shape": [2], "data": [2, 2]},
                    {"name": "exang", "datatype": "BOOL", "shape": [2], "data": [False, False]},
                ]
            },
        ),
    ],
)
async def test_every_protocol_is_logged_alike(logged: Logged, path: str, body: Any) -> None:
    reply = await logged.post(path, body)
    assert reply.status_code == 200, reply.text
    found = logged.written(2)
    assert [prediction.features for prediction in found] == [RECORD, RECORD]
    named = {"request_id": reply.headers["x-request-id"], "proof": reply.headers["x-feedback-proof"]}
    assert (await logged.report(named | {"row": 1, "outcome": "disease"})).status_code == 202
    assert [prediction.outcome for prediction in logged.labelled()] == ["disease"]


async def test_rejected_requests_are_no_predictions(logged: Logged) -> None:
    assert (await logged.post("/predict", RECORD | {"age": 999})).status_code == 422
    await logged.post("/predict", RECORD)
    assert len(logged.written(1)) == 1


async def test_redacted_features_reach_no_database(tmp_path: Path) -> None:
    logged = Logged(tmp_path, redact=("age", "cp"))
    await logged.post("/predict", RECORD)
    (found,) = logged.written(1)
    logged.log.close()
    assert found.features == {"sex": 1, "vessels": 2, "exang": False}
    assert found.redacted == ("age", "cp")
    assert "typical" not in content(tmp_path)


def content(folder: Path) -> str:
    return "".join(path.read_bytes().decode(errors="ignore") for path in folder.glob("log.db*"))


async def test_a_copy_is_stored_as_one(logged: Logged) -> None:
    """Under the id of its original, and nobody can report an outcome of it."""
    headers = {"x_request_id": "visit-1", "x_heartops_shadow": PROOFS.mark_copy("visit-1")}
    reply = await logged.post("/predict", RECORD, **headers)
    assert (reply.json()["request_id"], "proof" in reply.text) == ("visit-1", False)
    assert "x-feedback-proof" not in reply.headers
    assert logged.written(1) == []
    await logged.report(outcome_of("visit-1", 1))
    assert logged.labelled() == []


@pytest.mark.parametrize("outcome", [1, 1.0, "disease"])
async def test_an_outcome_is_the_value_or_the_name_of_a_class(logged: Logged, outcome: Any) -> None:
    answer = (await logged.post("/predict", RECORD)).json()
    logged.written(1)
    one = {"request_id": answer["request_id"], "proof": answer["proof"], "outcome": outcome}
    reply = await logged.post("/feedback", one)
    assert (reply.status_code, reply.json()) == (202, counts(new=1))
    assert [prediction.outcome for prediction in logged.labelled()] == ["disease"]


def counts(**known: int) -> dict[str, int]:
    return {"new": 0, "corrected": 0, "unchanged": 0, "conflicts": 0} | known


async def test_twice_is_once_and_a_correction_shows(logged: Logged) -> None:
    one = outcome_of("visit-1", 1)
    answers = [(await logged.post("/feedback", body)).json() for body in (one, one, one | {"outcome": 0})]
    assert answers == [counts(new=1), counts(unchanged=1), counts(corrected=1)]
    for result in ("new", "corrected", "unchanged"):
        assert await logged.metric("feedback_total", result=result) == 1


async def test_an_outcome_may_come_before_its_prediction_is_stored(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another pod answers from the same database while the writer of the first still holds the row."""
    writer = logged.log.writer
    assert writer is not None
    monkeypatch.setattr(writer, "_attempt", lambda rows: False)
    answer = (await logged.post("/predict", RECORD)).json()
    assert (await logged.report(outcome_of(answer["request_id"], 0))).status_code == 202
    assert logged.labelled() == []
    monkeypatch.undo()
    logged.written(1)
    assert [prediction.outcome for prediction in logged.labelled()] == ["no disease"]


async def test_in_bulk_by_position(logged: Logged) -> None:
    answer = (await logged.post("/predict", [RECORD] * 3)).json()
    logged.written(3)
    named = {name: answer[name] for name in ("request_id", "proof")}
    body = [named | {"row": row, "outcome": row % 2} for row in range(3)]
    assert (await logged.report(*body, body[0])).json()["new"] == 3
    assert sorted(str(prediction.outcome) for prediction in logged.labelled()) == ["disease", *["no disease"] * 2]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"request_id": "a", "outcome": MARKER}, "outcome"),
        ({"request_id": "a", "outcome": 2}, "outcome"),
        ({"request_id": "a", "outcome": True}, "outcome"),
        ({"request_id": "a", "outcome": None}, "outcome"),
        ({"request_id": "a"}, "outcome"),
        ({"request_id": f"{MARKER} !", "outcome": 1}, "request_id"),
        ({"request_id": "a\n", "outcome": 1}, "request_id"),
        ({"request_id": 4711, "outcome": 1}, "request_id"),
        ({"outcome": 1}, "request_id"),
        ({"request_id": "a", "outcome": 1, "row": -1}, "row"),
        ({"request_id": "a", "outcome": 1, "row": 10**30}, "row"),
        ({"request_id": "a", "outcome": 1, "row": True}, "row"),
        ({"request_id": "a", "outcome": 1, "row": 0.5}, "row"),
        ({"request_id": "a", "outcome": 1, f"{MARKER} 0": 1}, "extra_forbidden"),
        ([{"request_id": "a", "outcome": 1}, {"request_id": "a", "outcome": MARKER}], "outcome"),
        ([], "body"),
        ([MARKER], "body"),
        (MARKER, "body"),
        ([[]], "body"),
    ],
)
async def test_a_bad_outcome_is_rejected_by_field_and_not_repeated(logged: Logged, body: Any, field: str) -> None:
    reply = await logged.post("/feedback", body)
    assert reply.status_code == 422
    assert field in reply.text
    assert MARKER not in reply.text
    assert await logged.metric("feedback_total", result="rejected") == 1
    assert logged.labelled() == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"request_id": "a", "outcome": 0, "outcome": 1}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * 3_000_000, "application/json", 413),
    ],
)
async def test_what_is_no_json_of_ours_is_rejected(logged: Logged, content: bytes, kind: str, status: int) -> None:
    reply = await logged.served.client.post("/feedback", content=content, headers={"Content-Type": kind})
    assert reply.status_code == status


async def test_a_regression_takes_numbers(tmp_path: Path) -> None:
    logged = Logged(tmp_path, tiny_model(task="regression"))
    answer = (await logged.post("/predict", RECORD)).json()
    logged.written(1)
    assert (await logged.report(outcome_of(answer["request_id"], "7"))).status_code == 422
    assert (await logged.report(outcome_of(answer["request_id"], 7))).status_code == 202
    logged.refresh()
    assert await logged.metric("model_mae", source="feedback") == pytest.approx(abs(answer["prediction"] - 7), rel=1e-5)
    assert await logged.metric("model_accuracy", source="feedback") is None
    logged.log.close()


async def test_live_quality_by_outcomes_and_without(logged: Logged) -> None:
    answers = (await logged.post("/predict", [RECORD | {"age": age} for age in range(20, 120)])).json()
    logged.written(100)
    rows = answers["predictions"]
    right = [{"row": row, "outcome": rows[row]["label"]} for row in range(40)]
    wrong = [{"row": row, "outcome": 1 - rows[row]["prediction"]} for row in range(40, 50)]
    named = {name: answers[name] for name in ("request_id", "proof")}
    await logged.report(*(named | each for each in right + wrong))
    logged.refresh()
    assert await logged.metric("model_accuracy", source="feedback") == 0.8
    assert await logged.metric("model_accuracy_rows", source="feedback") == 50
    low, high = [await logged.metric(f"model_accuracy_{end}", source="feedback") for end in ("low", "high")]
    assert low is not None
    assert high is not None
    assert 0.66 < low < 0.8 < high < 0.9
    sure = [max(row["probability"], 1 - row["probability"]) for row in rows]
    assert await logged.metric("model_accuracy", source="estimated") == pytest.approx(sum(sure) / 100, abs=1e-5)


async def test_figures_that_cannot_be_refreshed_are_not_shown(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    await test_live_quality_by_outcomes_and_without(logged)
    maintenance = logged.log.maintenance
    assert maintenance is not None

    def fail(now: datetime) -> None:
        raise TypeError(MARKER)

    monkeypatch.setattr(maintenance, "refresh", fail)
    monkeypatch.setattr(maintenance, "_closing", OneRound())
    maintenance._run()
    assert await logged.metric("model_accuracy", source="feedback") is None
    assert MARKER not in logged.served.logged()


class OneRound:
    """An Event that is set after its first wait."""

    over = False

    def is_set(self) -> bool:
        return self.over

    def wait(self, seconds: float) -> None:
        self.over = True


async def test_old_rows_go_and_young_ones_stay(logged: Logged) -> None:
    answer = (await logged.post("/predict", [RECORD] * 1500)).json()
    await logged.report(outcome_of(answer["request_id"], 1))
    logged.written(1500)
    maintenance = logged.log.maintenance
    assert maintenance is not None
    maintenance.clean(datetime.now(UTC) + timedelta(days=89))
    assert len(logged.labelled()) == 1
    maintenance.clean(datetime.now(UTC) + timedelta(days=91))
    assert logged.written(1500) == []
    assert logged.labelled() == []


class Hours:
    """An Event that is set after so many hours of waiting, and the clock that shows them."""

    def __init__(self, hours: float) -> None:
        self.now, self.ends = 0.0, hours * 3600

    def is_set(self) -> bool:
        return self.now >= self.ends

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def stopped_maintenance(logged: Logged) -> LogMaintenance:
    """Whose loop the test runs itself."""
    maintenance = logged.log.maintenance
    assert maintenance is not None
    maintenance.close()
    maintenance._thread.join()
    return maintenance


@pytest.mark.parametrize("outages", [0, 100])
async def test_retention_runs_every_hour(logged: Logged, monkeypatch: pytest.MonkeyPatch, outages: int) -> None:
    """The thread's own loop, by a clock of the test's; a while without the database puts it off."""
    maintenance, hours = stopped_maintenance(logged), Hours(10)
    cleaned: list[float] = []

    def clean(now: datetime) -> bool:
        if hours.now < outages * maintenance_module.REFRESH_SECONDS:
            raise Unavailable("not now")
        cleaned.append(hours.now)
        return True

    monkeypatch.setattr(maintenance, "clean", clean)
    monkeypatch.setattr(maintenance, "_closing", hours)
    monkeypatch.setattr(maintenance_module, "time", hours)
    maintenance._run()
    gaps = [after - before for before, after in pairwise(cleaned)]
    assert cleaned[0] <= 3630
    assert 7 <= len(gaps) <= 12
    assert 0.8 * 3600 <= min(gaps) <= max(gaps) <= 1.2 * 3600 + 30


async def test_retention_keeps_up_with_any_backlog(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one pass leaves is deleted with the next refresh, not in an hour."""
    await logged.post("/predict", [RECORD] * 4500)
    logged.written(4500)
    maintenance, hours = stopped_maintenance(logged), Hours(1.1)
    monkeypatch.setattr(maintenance, "_closing", hours)
    monkeypatch.setattr(maintenance, "_retention", timedelta(0))
    monkeypatch.setattr(maintenance_module, "time", hours)
    monkeypatch.setattr(maintenance_module, "MOST_ROUNDS", 2)
    maintenance._run()
    with open_database(logged.url).begin() as connection:
        assert connection.scalar(select(func.count()).select_from(predictions)) == 0


async def test_feedback_does_not_move_the_models_error_rate(logged: Logged) -> None:
    await logged.report(outcome_of("a", MARKER))
    await logged.report(outcome_of("a", 1))
    codes = {name: value for name, value in (await logged.metrics()).items() if name.startswith("http_requests_total")}
    assert sum(codes.values()) == 0
    assert '"route":"/feedback"' in logged.served.logged()


async def test_no_value_reaches_logs_or_metrics(logged: Logged) -> None:
    answer = (await logged.post("/predict", RECORD | {"age": 54.4711})).json()
    await logged.report(outcome_of(answer["request_id"], 1))
    logged.written(1)
    logged.refresh()
    shown = logged.served.logged() + (await logged.served.management.get("/metrics")).text
    assert "54.4711" not in shown
    assert "atypical" not in shown


@pytest.mark.parametrize("sink", ["None", "Stdout"])
async def test_without_a_database_feedback_says_so(tmp_path: Path, sink: str, capfdbinary: Any) -> None:
    logged = Logged(tmp_path, sink=sink)
    assert (await logged.post("/predict", RECORD)).status_code == 200
    reply = await logged.post("/feedback", {"request_id": "a", "outcome": 1})
    logged.log.close()
    assert reply.status_code == 404
    assert "prediction log" in reply.text


async def test_a_namespace_without_a_database_serves_and_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = in_process(tiny_model(labels=LABELS), tmp_path, log=LogSettings(PredictionLog(), ""))
    served.application.predictions.start()
    assert (await served.client.post("/predict", json=[RECORD] * 3)).status_code == 200
    assert 'reason="no_database"} 3.0' in (await served.management.get("/metrics")).text
    assert [record.getMessage() for record in caplog.records if "HEARTOPS_DATABASE_URL" in record.getMessage()]


async def test_a_wrong_address_is_said_and_the_model_serves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = LogSettings(PredictionLog(), f"mysql://{MARKER}@x/y", read_keys(PROOF_KEY))
    served = in_process(tiny_model(labels=LABELS), tmp_path, log=settings)
    log = served.application.predictions
    log.start()
    assert (await served.client.post("/predict", json=RECORD)).status_code == 200
    assert (await served.client.post("/feedback", json=outcome_of("a", 1))).status_code == 503
    until(lambda: "HEARTOPS_DATABASE_URL must begin with" in caplog.text)
    assert MARKER not in caplog.text
