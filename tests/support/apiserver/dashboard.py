"""The Grafana dashboards as tests ask them: every panel's queries, with the variables filled in as Grafana does."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heart_api.durations import seconds

ROOT = Path(__file__).resolve().parents[3]
DASHBOARDS = sorted((ROOT / "charts/heartops/dashboards").glob("*.json"))
LABEL_VALUES = re.compile(r"label_values\((?P<series>.+), (?P<label>\w+)\)")


@dataclass(frozen=True)
class Query:
    board: str
    """The dashboard's uid."""
    panel: str
    expression: str
    legend: str
    instant: bool
    """Asked for the latest value; otherwise for the time range."""

    def __str__(self) -> str:
        return f"{self.board}, {self.panel}: {self.legend}"


@dataclass(frozen=True)
class Variable:
    """Offers the values of a label of some series."""

    board: str
    name: str
    series: str
    label: str


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


MEASURED_ELSEWHERE = re.compile(r"container_|kubelet_|mlflow_http|pg_")
"""Metrics of kubelets, MLflow and PostgreSQL: those queries are asked on a node."""
OF_HISTORY = re.compile(
    r"drift_|retraining_|time_to_restore|experiment_|model_(accuracy|precision|recall|f1|brier|mae|rmse)|feedback_"
)
"""Metrics of what does not happen in a canary on a node: outcomes, experiments, drift, failures. Those queries are
asked of the same Prometheus with such a history."""
OF_SYSTEM = ("operator", "registry")
"""Dashboards whose variable `namespace` is the installation's."""


def queries(path: Path) -> list[Query]:
    board = load(path)["uid"].removeprefix("heartops-")
    return [
        Query(board, panel["title"], target["expr"], target["legendFormat"], target["instant"])
        for panel in load(path)["panels"]
        for target in panel.get("targets", ())
    ]


def all_queries() -> list[Query]:
    return [query for path in DASHBOARDS for query in queries(path)]


def variables(path: Path) -> list[Variable]:
    entries = [entry for entry in load(path)["templating"]["list"] if entry["type"] == "query"]
    found = [(entry["name"], LABEL_VALUES.fullmatch(entry["query"]["query"])) for entry in entries]
    board = load(path)["uid"].removeprefix("heartops-")
    return [Variable(board, name, match["series"], match["label"]) for name, match in found if match]


def filled(expression: str, namespace: str, model: str, window: str = "1m", range_: str = "") -> str:
    """`window` stands for Grafana's interval of rates, and for the time range unless that is given."""
    whole = range_ or window
    values = {"namespace": namespace, "model": model, "__rate_interval": window, "__range": whole}
    values["__range_s"] = str(round(seconds(whole)))
    for name in sorted(values, key=len, reverse=True):
        expression = expression.replace(f"${name}", values[name])
    assert "$" not in expression, expression
    return expression
