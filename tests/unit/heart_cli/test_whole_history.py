"""`kubectl heart history --all`: read from MLflow, shown newest first, whatever somebody wrote there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from heart_api.historyfile import merged
from heart_api.outbox import OutboxEntry
from heart_cli import wholehistory
from heart_cli.errors import Failure
from tests.support.apiserver.heart_objects import heart_model, serving, sha


def entry(id_: str, type_: str, time: str, **data: str) -> OutboxEntry:
    return OutboxEntry.model_validate({"id": id_, "type": type_, "time": time, "data": data})


OCTOBER = [
    entry("a", "trained", "2026-10-01T06:00:00Z", version="1", digest=sha("1")),
    entry("b", "promoted", "2026-10-01T07:00:00Z", version="1", digest=sha("1"), by="heartops"),
]
NOVEMBER = [entry("c", "rejected", "2026-11-01T06:00:00Z", version="2", reason="GateFailed", message="too \x1b[31mbad")]


class MLflow:
    """As much of it as the command asks."""

    def __init__(self) -> None:
        self.experiment = "heart.history"
        self.files = {
            "history/2026-10.jsonl": merged(b"", OCTOBER),
            "history/2026-11.jsonl": merged(b"no json\n[1]\n", NOVEMBER),
            "history/../../secret": b"{}",
        }
        self.asked: list[tuple[str, str | None, str | None]] = []

    def answer(self, path: str) -> tuple[int, bytes]:
        if "experiments/get-by-name" in path:
            known = path.endswith(f"experiment_name={self.experiment}")
            return (200, json.dumps({"experiment": {"experiment_id": "5"}}).encode()) if known else (404, b"{}")
        if "runs/search" in path:
            run = {"info": {"run_id": "r", "artifact_uri": "mlflow-artifacts:/5/r/artifacts"}}
            return 200, json.dumps({"runs": [run]}).encode()
        if "artifacts/list" in path:
            return 200, json.dumps({"files": [{"path": name} for name in self.files]}).encode()
        found = self.files.get(path.partition("/5/r/artifacts/")[2])
        return (200, found) if found is not None else (404, b"")


@pytest.fixture
def mlflow(cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[MLflow]:
    found = MLflow()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.asked.append((self.path, self.headers["Authorization"], self.headers["X-MLFLOW-WORKSPACE"]))
            status, body = found.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()

    @contextmanager
    def forwarded(*_: Any) -> Iterator[str]:
        yield f"http://127.0.0.1:{server.server_address[1]}"

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(wholehistory, "forwarded", forwarded)
    monkeypatch.setattr(wholehistory, "find_service", lambda system: "mlflow")
    monkeypatch.setattr(wholehistory, "request_token", lambda client: "token")
    cluster.model = heart_model({"serving": serving("1")})
    cluster.elsewhere = lambda namespace: cluster
    yield found
    server.shutdown()
    server.server_close()


def test_every_decision_is_listed_newest_first(heart, mlflow: MLflow) -> None:
    done = heart("history", "heart", "--all")
    assert done.exit_code == 0, done.output
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["TIME", "DECISION", "VERSION", "BY", "ABOUT", "DIGEST"]
    assert [row.split()[2] for row in rows] == ["rejected", "promoted", "trained"]
    assert "GateFailed · too" in rows[0]
    assert "\x1b" not in done.stdout
    assert {(token, workspace) for _, token, workspace in mlflow.asked} == {("Bearer token", "clinic")}
    assert not any("secret" in path for path, _, _ in mlflow.asked)


def test_years_of_decisions_are_all_listed(heart, mlflow: MLflow) -> None:
    """The status keeps a hundred at most."""
    months = [f"{year}-{month:02}" for year in (2025, 2026) for month in range(1, 13)]
    mlflow.files = {
        f"history/{month}.jsonl": merged(
            b"",
            [entry(f"{month}-{day}", "gated", f"{month}-{day:02}T06:00:00Z", version=str(day)) for day in range(1, 29)],
        )
        for month in months
    }
    _, *rows = heart("history", "heart", "--all").stdout.splitlines()
    assert len(rows) == 24 * 28
    assert rows[0].startswith("2026-12-28")
    assert rows[-1].startswith("2025-01-01")
    assert len(json.loads(heart("history", "heart", "--all", "-o", "json").stdout)["history"]) == 24 * 28


def test_machines_get_the_entries(heart, mlflow: MLflow) -> None:
    found = json.loads(heart("history", "heart", "--all", "-o", "json").stdout)["history"]
    assert [one["id"] for one in found] == ["a", "b", "c"]
    assert found[0]["data"]["digest"] == sha("1")


def test_without_workspaces_the_name_has_its_prefix(heart, mlflow: MLflow) -> None:
    mlflow.experiment = "clinic.heart.history"
    assert heart("history", "heart", "--all").exit_code == 0


@pytest.fixture
def external(mlflow: MLflow, monkeypatch: pytest.MonkeyPatch) -> MLflow:
    """The same MLflow, as one that HeartOps did not install."""

    def find(_: Any) -> str:
        raise Failure("Namespace heartops-system has no MLflow of HeartOps")

    monkeypatch.setattr(wholehistory, "find_service", find)
    return mlflow


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_TOKEN": "t"}, "Bearer t"),
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "pw"}, "Basic bWU6cHc="),
    ],
)
def test_an_mlflow_of_ones_own_is_asked_by_the_users_own_variables(
    heart, external: MLflow, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sent: str | None
) -> None:
    with wholehistory.forwarded() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{address}/")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = heart("history", "heart", "--all")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 4
    assert {given for _, given, _ in external.asked} == {sent}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "has no MLflow of HeartOps. Otherwise set MLFLOW_TRACKING_URI"),
        ("sqlite:///mlflow.db", "MLFLOW_TRACKING_URI has to be an address"),
    ],
)
def test_without_a_way_to_mlflow_it_says_what_to_set(
    heart, external: MLflow, monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    done = heart("history", "heart", "--all")
    assert done.exit_code == 1
    assert words in done.stderr


def test_where_nothing_is_kept_it_says_why(heart, mlflow: MLflow) -> None:
    mlflow.experiment = "another"
    done = heart("history", "heart", "--all")
    assert (done.exit_code, "keeps no history of heart" in done.stderr) == (1, True)
