"""The laptop's Prometheus, started with compose.yaml's own configuration beside `python -m heart_serving DIR`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from hack.cluster.paths import extras_dir
from hack.cluster.ports import free_port
from tests.support.apiserver.client import poll
from tests.support.apiserver.dashboard import DASHBOARDS, filled, queries
from tests.support.apiserver.prometheus import Prometheus, finite, is_ready
from tests.support.serving.app import Running, wait_ready
from tests.support.serving.tiny_model import tiny_model

pytestmark = pytest.mark.api

ROOT = Path(__file__).resolve().parents[2]
OF_ONE_VERSION = {
    ("model", panel)
    for panel in (
        "Roles",
        "Requests",
        "Predictions",
        "Error rate",
        "Invalid requests",
        "Latency",
        "Latency by stage (p95)",
        "Outputs",
        "Confidence",
        "Median confidence",
        "Pods",
    )
}
"""Panels that need no operator, no candidate and no outcomes."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    tiny_model().write(tmp_path)
    port, management_port, log = free_port(), free_port(), tmp_path / "server.log"
    ports = ("--port", str(port), "--management-port", str(management_port))
    command = [sys.executable, "-m", "heart_serving", str(tmp_path), *ports]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEARTOPS_")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=plain, stdout=output, stderr=subprocess.STDOUT)
    try:
        server = Running(process, port, management_port, log)
        wait_ready(server)
        yield server
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def prometheus(tools: Path, tmp_path: Path, served: Running) -> Iterator[Prometheus]:
    """With the target's name in the compose network replaced, as nothing resolves it here."""
    settings = yaml.safe_load((ROOT / "compose/prometheus.yml").read_text())
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{served.management_port}"]
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
    (tmp_path / "rules.yml").write_text((ROOT / "compose/rules.yml").read_text())
    port = free_port()
    options = (f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data", "--log.level=error")
    with subprocess.Popen([str(tools / "prometheus"), *options, f"--web.listen-address=127.0.0.1:{port}"]) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            poll("Prometheus", lambda: is_ready(url), 30)
            yield Prometheus(url)
        finally:
            process.terminate()


def loaded(file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """By compose's own loader: schema, variables, defaults and references between services, volumes and networks."""
    binary = extras_dir() / "bin" / "compose"
    assert binary.exists(), "compose's loader is not built yet: run `python3 -m hack.cluster build --extras`"
    command = (str(binary), str(file))
    plain = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False)


def test_composes_own_loader_accepts_the_file(tmp_path: Path) -> None:
    done = loaded(ROOT / "compose.yaml", MODEL=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
    services = json.loads(done.stdout)["services"]
    assert set(services) == {"model", "prometheus", "grafana"}
    (mounted,) = services["model"]["volumes"]
    assert (mounted["source"], mounted["read_only"]) == (str(tmp_path), True)
    assert {port["host_ip"] for each in services.values() for port in each["ports"]} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("read_only: true\n", "readonly: true\n", "readonly"),
        ("depends_on: [prometheus]", "depends_on: [prometeus]", "prometeus"),
        ("- prometheus:/prometheus", "- nowhere:/prometheus", "nowhere"),
    ],
)
def test_the_loader_finds_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert old in text
    (tmp_path / "compose.yaml").write_text(text.replace(old, new))
    done = loaded(tmp_path / "compose.yaml")
    assert done.returncode == 1
    assert said in done.stderr


def test_prometheus_accepts_the_configuration(tools: Path, tmp_path: Path) -> None:
    for name in ("prometheus.yml", "rules.yml"):
        (tmp_path / name).write_text((ROOT / "compose" / name).read_text())
    command = (str(tools / "promtool"), "check", "config", str(tmp_path / "prometheus.yml"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_data_without_a_cluster(prometheus: Prometheus, served: Running) -> None:
    record = httpx.get(f"{served.url}/model").json()["examples"][0]

    def asked() -> bool:
        httpx.post(f"{served.url}/predict", json=record)
        return bool(prometheus.ask('heartops_model_track{namespace="laptop",model="heart",track="stable"}'))

    poll("the version's role", asked, 30)
    chosen = [query for path in DASHBOARDS for query in queries(path) if (query.board, query.panel) in OF_ONE_VERSION]
    assert {(query.board, query.panel) for query in chosen} == OF_ONE_VERSION

    def shown(expression: str) -> bool:
        httpx.post(f"{served.url}/predict", json=record)
        return bool(finite(prometheus.ask(expression)))

    for query in chosen:
        expression = filled(query.expression, "laptop", "heart", "15s")
        poll(f"{query.panel}: {expression}", lambda expression=expression: shown(expression), 60)
