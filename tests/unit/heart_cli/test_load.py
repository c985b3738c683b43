"""Load on a model: how much is sent and when, what is measured, and the command against a server on loopback."""

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from heart_cli.load.command import print_results
from heart_cli.load.plan import Plan, Schedule
from heart_cli.load.records import draw
from heart_cli.load.results import Outcome, headline, percentile, problem_lines
from heart_cli.load.sending import Load
from tests.support.apiserver.heart_objects import NAME, NAMESPACE, heart_model, serving

EXAMPLES = [{"age": 40, "sex": 0, "ca": None}, {"age": 60, "sex": 1, "ca": 2}]
PROXY = f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}:http/proxy"
SUMMARY = """\
VERSION   REQUESTS   SHARE   FAILED       P50       P95       P99       MAX
6         900        90%     0            54.9 ms   95.4 ms   99.0 ms   99.9 ms
10        100        10%     3 (3.0%)     250 ms    250 ms    250 ms    250 ms
none      1          0%      1 (100.0%)   -         -         -         -
all       1001       100%    4 (0.4%)     59.8 ms   250 ms    250 ms    250 ms
3 × version 10: 503 Service Unavailable
1 × The API server at https://x cannot be reached (Timeout)
"""
MODEL = f"/apis/heartops.dev/v1alpha1/namespaces/{NAMESPACE}/heartmodels/{NAME}"


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


# --- when requests are due ------------------------------------------------------------------------


def test_a_rate_spreads_the_requests_over_the_time() -> None:
    schedule = Schedule(Plan(seconds=1, rate=4), Clock())
    assert [schedule.next() for _ in range(5)] == [(0, 100.0), (1, 100.25), (2, 100.5), (3, 100.75), None]


def test_without_a_rate_a_request_is_due_at_once_until_the_time_is_over() -> None:
    clock = Clock()
    schedule = Schedule(Plan(seconds=10), clock)
    assert schedule.next() == (0, 100.0)
    clock.now = 109.9
    assert schedule.next() == (1, 109.9)
    clock.now = 110.0
    assert schedule.next() is None


def test_the_number_of_requests_ends_it_too() -> None:
    schedule = Schedule(Plan(seconds=10, requests=2), Clock())
    assert [bool(schedule.next()) for _ in range(3)] == [True, True, False]


def test_requests_that_are_late_end_with_the_time_all_the_same() -> None:
    """A server that stalls does not make the run longer."""
    clock = Clock()
    schedule = Schedule(Plan(seconds=10, rate=1), clock)
    assert schedule.next() == (0, 100.0)
    clock.now = 110.0
    assert schedule.next() is None


# --- what is measured -----------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (95, 10), (90, 9), (99, 10), (100, 10), (1, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    assert percentile(list(range(1, 11)), percent) == value


def test_a_rate_that_was_not_reached_is_said_with_the_way_out() -> None:
    outcomes = [Outcome("1", 0.01)] * 50
    assert headline(outcomes, 10.0, 5) == "50 requests in 10.0 s (5.0/s), 0 failed"
    assert "the rate of 20/s was not reached: add connections (--concurrency)" in headline(outcomes, 10.0, 20)


def test_problems_are_counted_by_version_and_the_rare_ones_together() -> None:
    outcomes = [Outcome("7", 0.1, "500 Internal Server Error")] * 3 + [Outcome("", 0.1, f"e{n}") for n in range(6)]
    first, *_, last = problem_lines(outcomes)
    assert first == "3 × version 7: 500 Internal Server Error"
    assert last == "2 others"


def test_records_are_drawn_value_by_value_and_equal_each_time() -> None:
    records = draw(EXAMPLES, 64)
    assert records == draw(EXAMPLES, 64)
    assert {tuple(record.values()) for record in records} > {(40, 0, None), (60, 1, 2), (40, 1, 2)}


def test_no_request_begins_after_the_end_and_those_in_flight_are_counted() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def send(record: dict[str, Any]) -> tuple[str, str]:
        entered.set()
        go_on.wait(10)
        return "1", ""

    run = Load(Plan(seconds=60, connections=1), EXAMPLES, send)
    with run.running():
        assert entered.wait(10)
        threading.Timer(0.05, go_on.set).start()
    assert len(run.outcomes) == 1


# --- the command ----------------------------------------------------------------------------------


@dataclass
class Api:
    """An API server with one model behind its proxy, of which every tenth request reaches a broken candidate."""

    card: dict[str, Any] = field(default_factory=lambda: {"examples": EXAMPLES})
    status: dict[str, Any] = field(default_factory=lambda: {"serving": serving("6")})
    broken: bool = True
    received: list[Any] = field(default_factory=list)
    clients: Counter[Any] = field(default_factory=Counter)

    def get(self, path: str) -> tuple[int, Any]:
        answers = {MODEL: (200, heart_model(self.status)), f"{PROXY}/model": (200, self.card)}
        return answers.get(path, (404, {"message": "not found"}))

    def post(self, record: Any, number: int) -> tuple[int, Any, str]:
        if number % 10:
            return 200, {"prediction": 1}, "6"
        return (500, {"detail": "broken"}, "7") if self.broken else (200, {"prediction": 0}, "7")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    found, lock = Api(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(*found.get(self.path))

        def do_POST(self) -> None:
            record = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(found.received)
                found.received.append(record)
                found.clients[self.client_address] += 1
            status, body, version = found.post(record, number)
            self._answer(status, body, version)

        def _answer(self, status: int, body: Any, version: str = "") -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if version:
                self.send_header("X-Model-Version", version)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    yield found
    server.shutdown()
    server.server_close()


def test_the_summary_has_percentiles_and_failures_of_each_version(heart, api: Api) -> None:
    done = heart("load", "heart", "--requests", "200", "--concurrency", "3")
    assert done.exit_code == 1
    first, head, *rows, problem = done.stdout.splitlines()
    assert first.startswith("200 requests in ")
    assert first.endswith(" 20 failed")
    assert head.split() == ["VERSION", "REQUESTS", "SHARE", "FAILED", "P50", "P95", "P99", "MAX"]
    six, seven, total = [row.split() for row in rows]
    assert six[:4] == ["6", "180", "90%", "0"]
    assert six[5::2] == ["ms"] * 4
    assert seven == ["7", "20", "10%", "20", "(100.0%)", "-", "-", "-", "-"]
    assert total[:5] == ["all", "200", "100%", "20", "(10.0%)"]
    assert problem == "20 × version 7: 500 Internal Server Error"


def test_connections_are_kept_and_requests_are_never_retried(heart, api: Api) -> None:
    heart("load", "heart", "--requests", "120", "--concurrency", "3")
    assert len(api.received) == 120
    assert len(api.clients) <= 3


def test_what_is_sent_is_made_of_the_examples(heart, api: Api) -> None:
    api.broken = False
    done = heart("load", "heart", "--requests", "20")
    assert done.exit_code == 0
    assert {record["age"] for record in api.received} == {40, 60}
    assert all(set(record) == {"age", "sex", "ca"} for record in api.received)


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("stop", [press_ctrl_c, terminate])
def test_ctrl_c_and_sigterm_end_it_with_the_summary(
    heart, api: Api, monkeypatch: pytest.MonkeyPatch, stop: Callable[[], None]
) -> None:
    api.broken = False
    enough = threading.Event()
    answer = Api.post

    def post(self: Api, record: Any, number: int) -> tuple[int, Any, str]:
        if number >= 5:
            enough.set()
        return answer(self, record, number)

    def interrupted(self: Load, seconds: float) -> bool:
        monkeypatch.setattr(Load, "wait", wait)
        assert enough.wait(10)
        stop()
        raise AssertionError("it should have stopped")

    wait = Load.wait
    monkeypatch.setattr(Api, "post", post)
    monkeypatch.setattr(Load, "wait", interrupted)
    done = heart("load", "heart", "--for", "1h", "--rate", "1000")
    assert done.exit_code == 0
    assert "interrupted" in done.stderr
    assert "VERSION" in done.stdout


def test_nothing_that_serves_is_said_before_anything_is_sent(heart, api: Api) -> None:
    api.status = {}
    done = heart("load", "heart")
    assert (done.exit_code, api.received) == (1, [])
    assert "No version of heart is serving yet" in done.stderr


def test_a_server_without_examples_is_said_to_be_older(heart, api: Api) -> None:
    api.card = {}
    done = heart("load", "heart")
    assert done.exit_code == 1
    assert "publishes no example records" in done.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--for", "2h"), "at most 1h"),
        (("--for", "soon"), "is not a duration"),
        (("--rate", "5000"), "not in the range"),
        (("--requests", "0"), "not in the range"),
        (("--concurrency", "1000"), "not in the range"),
    ],
)
def test_the_load_has_bounds(heart, api: Api, option: tuple[str, str], words: str) -> None:
    done = heart("load", "heart", *option)
    assert (done.exit_code, api.received) == (2, [])
    assert words in done.stderr


def test_the_summary_as_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    stable = [Outcome("6", 0.010 + number / 10_000) for number in range(900)]
    candidate = [Outcome("10", 0.250)] * 97 + [Outcome("10", 0.02, "503 Service Unavailable")] * 3
    print_results([*stable, *candidate, Outcome("", 10.0, "The API server at https://x cannot be reached (Timeout)")])
    printed = "".join(line.rstrip() + "\n" for line in capsys.readouterr().out.splitlines())
    assert printed == SUMMARY
