"""compose.yaml: the files that it mounts exist, everything listens on loopback, and its programs accept its options."""

import json
from pathlib import Path
from typing import Any

import yaml

from heart_serving.laptop import parser

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def mounts(service: dict[str, Any]) -> list[str]:
    """Sources of bind mounts in the repository; a named volume has no path, and MODEL is the user's."""
    short = [entry.partition(":")[0] for entry in service.get("volumes", ()) if isinstance(entry, str)]
    return [source for source in short if source.startswith("./")]


def test_what_is_mounted_exists() -> None:
    found = [source for service in SERVICES.values() for source in mounts(service)]
    assert len(found) == 5
    assert [source for source in found if not (ROOT / source).exists()] == []


def test_everything_is_published_on_loopback_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_dependencies_and_volumes_are_declared() -> None:
    needed = {name for service in SERVICES.values() for name in service.get("depends_on", ())}
    assert needed <= set(SERVICES)
    named = {
        entry.partition(":")[0]
        for service in SERVICES.values()
        for entry in service.get("volumes", ())
        if isinstance(entry, str)
    }
    assert {name for name in named if not name.startswith("./")} == set(COMPOSE["volumes"])


def test_the_server_takes_its_command() -> None:
    module, *arguments = SERVICES["model"]["command"][2:]
    assert module == "heart_serving"
    options = parser().parse_args(arguments)
    assert (str(options.folder), options.host) == ("/model", "0.0.0.0")  # inside of the container


def test_the_build_is_the_serving_image() -> None:
    assert (ROOT / SERVICES["model"]["build"]["dockerfile"]).exists()


def test_grafana_finds_its_dashboards_and_its_prometheus() -> None:
    folder = ROOT / "compose/grafana"
    (source,) = yaml.safe_load((folder / "datasources.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert SERVICES["grafana"]["depends_on"] == ["prometheus"]
    (provider,) = yaml.safe_load((folder / "dashboards.yml").read_text())["providers"]
    targets = {entry.split(":")[1]: entry.split(":")[0] for entry in SERVICES["grafana"]["volumes"]}
    dashboards = ROOT / targets[provider["options"]["path"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (dashboards / Path(home).relative_to(provider["options"]["path"])).exists()
    for path in sorted(dashboards.glob("*.json")):
        assert asked_sources(json.loads(path.read_text())) == {("prometheus", "${datasource}")}, path.name


def asked_sources(board: Any) -> set[tuple[str, str]]:
    """(type, uid) of every data source that a dashboard names; a variable's value is Grafana's default one."""
    if isinstance(board, list):
        return {found for each in board for found in asked_sources(each)}
    if not isinstance(board, dict):
        return set()
    own = board.get("datasource")
    here = {(own["type"], own["uid"])} if isinstance(own, dict) and "uid" in own else set()
    return here | {found for each in board.values() for found in asked_sources(each)}
