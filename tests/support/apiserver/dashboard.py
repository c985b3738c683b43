"""The Grafana dashboard as tests ask it: every panel's queries, with the variables filled in as Grafana does."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
DASHBOARDS = sorted((ROOT / "charts/heartops/dashboards").glob("*.json"))
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")


@dataclass(frozen=True)
class Query:
    panel: str
    expression: str
    legend: str


@dataclass(frozen=True)
class Variable:
    """Offers the values of a label of some series."""

    name: str
    series: str
    label: str


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def queries(path: Path) -> list[Query]:
    return [
        Query(panel["title"], target["expr"], target["legendFormat"])
        for panel in load(path)["panels"]
        for target in panel.get("targets", ())
    ]


def variables(path: Path) -> list[Variable]:
    entries = [entry for entry in load(path)["templating"]["list"] if entry["type"] == "query"]
    found = [(entry["name"], LABEL_VALUES.fullmatch(entry["query"]["query"])) for entry in entries]
    return [Variable(name, match["series"], match["label"]) for name, match in found if match]


def filled(expression: str, namespace: str, model: str, window: str = "1m") -> str:
    """`window` stands for both of Grafana's own intervals."""
    values = {"namespace": namespace, "model": model, "__rate_interval": window, "__range": window}
    for name in sorted(values, key=len, reverse=True):
        expression = expression.replace(f"${name}", values[name])
    assert "$" not in expression, expression
    return expression
