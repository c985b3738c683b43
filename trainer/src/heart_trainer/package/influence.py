"""What moves a model's answers, over many records: the size of each feature's contributions, for the model card."""

from dataclasses import dataclass

import numpy as np

from heart_api.explanation import Method, Unit
from heart_api.package import ServingPackage
from heart_model.errors import ModelRejected
from heart_model.explain.opening import open_explainer
from heart_model.model import open_session
from heart_trainer.errors import ExportFailed
from heart_trainer.values import Table

ROWS: dict[Method, int] = {"linear": 1000, "tree": 100, "kernel": 20}
"""Some seconds at most."""


@dataclass(frozen=True)
class Influence:
    """`sizes`: mean size of each feature's contributions (several classes: of all of them), the greatest first."""

    rows: int
    unit: Unit
    sizes: tuple[tuple[str, float], ...]


def measure_influence(converted: bytes, package: ServingPackage, table: Table) -> Influence | None:
    """Over training rows, evenly spread; None for a version that cannot be explained.

    The explanation is opened as serving opens it, so that one which does not add up is never registered: ExportFailed.
    """
    if package.explanation is None:
        return None
    try:
        explain = open_explainer(open_session(converted), package, package.explanation, lambda: converted)
    except ModelRejected as rejected:
        raise ExportFailed(f"The model cannot be explained as its family is: {rejected}") from rejected
    count = min(ROWS[package.explanation.method], len(table))
    rows = table.x[np.linspace(0, len(table) - 1, count).astype(int)]
    sizes = np.abs(explain(rows).contributions).mean(axis=(0, 2))
    order = np.argsort(-sizes, kind="stable")
    named = tuple((package.features[place].name, float(sizes[place])) for place in order)
    return Influence(count, package.explanation.unit, named)
