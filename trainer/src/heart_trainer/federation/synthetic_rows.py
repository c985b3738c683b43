"""Rows that nobody has: a table drawn from summed figures, for what needs rows to look at.

Each feature is dealt from its own histogram and shuffled by itself, so that a record of it is nobody's. True classes
and probabilities are those of the evaluation's cells, one row for each row of a cell: figures drawn from them are
those that were measured. Between features and outcome there is no relation in it, and nothing may look for one.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_trainer.data.load import readable
from heart_trainer.data.rows import equal_rows
from heart_trainer.external.learned import Learned
from heart_trainer.federation.limits import deal
from heart_trainer.federation.messages import Joined
from heart_trainer.mlflow.seals import sha256
from heart_trainer.sums.describe import Description
from heart_trainer.sums.evaluation import judged_cells
from heart_trainer.sums.scores import Cells
from heart_trainer.values import Integers, OutOfFoldResult, Table, Whole

MOST = 20_000


def synthesize(
    learned: Learned, features: Sequence[Feature], joined: dict[str, Joined]
) -> tuple[Table, OutOfFoldResult]:
    """`joined`: what the sites said of themselves, by title."""
    first, rows = next(iter(joined.values())), learned.description.rows()
    y, output = _judged(learned)
    x = made_up(learned.description, features, len(y))
    encoded = pd.DataFrame(x.astype(np.float64), columns=[feature.name for feature in features])
    duplicates = sum(one.duplicates for one in joined.values())
    positive = round(learned.description.target(tuple(range(learned.study.split.parts)))[0] * rows)
    table = Table(
        rows=readable(encoded, features),
        x=x,
        y=y,
        classes=first.classes,
        keys=(),
        groups=equal_rows(x),
        raw_sha256=digest(joined),
        synthetic=any(one.synthetic for one in joined.values()),
        task=first.task,
        duplicates=round(duplicates * len(y) / max(rows, 1)),
        reading=(f"sums of {len(joined)} sites: {', '.join(sorted(joined))}",),
        whole=Whole(rows, () if learned.study.regression else (rows - positive, positive)),
    )
    return table, OutOfFoldResult(output, np.zeros(len(y), np.int64), learned.choices[: len(learned.request.models)])


def digest(joined: dict[str, Joined]) -> str:
    """Of all sites' data: it changes with any of them."""
    return sha256("".join(f"{joined[title].dataset_digest}  {title}\n" for title in sorted(joined)).encode())


def _judged(learned: Learned) -> tuple[Integers | NDArray[np.float64], NDArray[np.float64]]:
    """(y, output) of as many rows as were judged, at most MOST. A regression has values of the target, twice."""
    cells = judged_cells(learned.request, learned.tables, range(len(learned.request.models)))
    if isinstance(cells, Cells):
        weight = _at_most(cells.weight)
        return np.repeat(cells.y, weight), np.repeat(cells.output, weight, axis=0)
    description, column = learned.description, len(learned.study.features)
    values = _values(description, column, min(description.rows(), MOST))
    return values, values[:, None]


def _at_most(weight: NDArray[np.int64]) -> NDArray[np.int64]:
    total = int(weight.sum())
    return weight if total <= MOST else deal(weight, np.array([MOST, total - MOST]))[0]


def made_up(description: Description, features: Sequence[Feature], rows: int) -> NDArray[np.float32]:
    """[rows, features]: every column with its own distribution and share of missing values."""
    rng = np.random.default_rng(0)
    whole = max(description.rows(), 1)
    columns = []
    for index in range(len(features)):
        present = round(rows * description.present(index) / whole)
        column = np.full(rows, np.nan)
        column[:present] = _values(description, index, present)
        columns.append(rng.permutation(column))
    return np.column_stack(columns).astype(np.float32)


def _values(description: Description, column: int, count: int) -> NDArray[np.float64]:
    """`count` values, evenly over the column's histogram."""
    counts, axis = description.histogram(column), description.request.axes[column]
    if not count or not counts.sum():
        return np.full(count, np.nan)
    ranks = np.floor((np.arange(count) + 0.5) * counts.sum() / count).astype(np.int64)
    return axis.ordered(counts, ranks)
