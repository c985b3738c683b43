"""Minimum cells: what a site shows in an answer, once it is counted.

- Ranges: neighbouring bins are merged until each filled one has the minimum.
- Descriptions: of the whole site, and dealt to the parts of the split in proportion to their rows, so that no part says
  more than the whole.
- Scores: neighbouring bins of a class are merged until each has the minimum; a table with fewer rows of a class than
  that is empty. The tables of an evaluation's folds are one. Of a cell's probabilities only the bin of their mean is
  told: the digits of an exact sum would say which of a model's answers it is made of.
- Trees are limited where they are grown (heart_trainer.sums.union).
- Sums of gradients, curvature and products are over at least the minimum of rows, or empty; they are exact otherwise.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heart_trainer.sums.additive import Sums
from heart_trainer.sums.bins import EDGES, score_bin
from heart_trainer.sums.describe import DescribeRequest, RangeRequest
from heart_trainer.sums.driver import Request
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.linear import GramRequest, NewtonRequest
from heart_trainer.sums.paired import PairedRequest
from heart_trainer.sums.profile import merge_small
from heart_trainer.sums.scores import ScoreRequest

Integers = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]
MIDDLES = (EDGES + np.append(EDGES[1:], 1.0)) / 2
"""Of the bins of a probability."""


class NotLimited(Exception):
    """A kind of request for which nobody has said what its small cells are."""


def limited(request: Request, sums: Sums, minimum: int) -> Sums:
    """The same answer without cells of fewer than `minimum` rows. Raises NotLimited."""
    limit = LIMITS.get(type(request))
    if limit is None:
        raise NotLimited(f"{type(request).__name__} has no limits")
    if minimum <= 1:
        return sums
    return Sums(sums.schema, limit(request, sums, minimum))


def _ranges(_: RangeRequest, sums: Sums, minimum: int) -> Arrays:
    coarse = np.array([merge_small(row, minimum) for row in sums["coarse"]], "<i8")
    rows = sums["coarse"].sum(axis=1)[:, None]
    # Only whether all values are on a grid is told.
    grids = np.where(sums["grids"] == rows, coarse.sum(axis=1)[:, None], 0)
    return {"coarse": coarse, "grids": grids.astype("<i8")}


def _description(_: DescribeRequest, sums: Sums, minimum: int) -> Arrays:
    rows = sums["rows"]
    found = {name: np.zeros_like(sums[name]) for name in ("present", "sum", "square", "histogram")}
    for column in range(sums["present"].shape[1]):
        histogram = merge_small(sums["histogram"][:, column].sum(axis=0), minimum)
        present = int(histogram.sum())
        if not present:
            continue
        dealt = deal(np.array([present]), rows)[:, 0]
        found["present"][:, column] = dealt
        for name in ("sum", "square"):
            found[name][:, column] = sums[name][:, column].sum() * (dealt / present)
        found["histogram"][:, column] = deal(histogram, dealt)
    return {"rows": rows, **found}


def deal(counts: Integers, sizes: Integers) -> Integers:
    """[parts, cells]: `counts` shared out in proportion to `sizes`; each part gets its share of the total, to one."""
    left, found = counts.astype(np.int64).copy(), np.zeros((len(sizes), len(counts)), np.int64)
    waiting = int(sizes.sum())
    for part, size in enumerate(sizes.tolist()):
        share = left * (size / waiting) if waiting else np.zeros(len(left))
        wanted = round(float(left.sum()) * size / waiting) if waiting else 0
        own = np.floor(share + 1e-9).astype(np.int64)
        rest = np.argsort(own - share, kind="stable")[: max(wanted - int(own.sum()), 0)]
        own[rest] += 1
        found[part] = np.minimum(own, left)
        left, waiting = left - found[part], waiting - size
    return found


def _newton(_: NewtonRequest, sums: Sums, minimum: int) -> Arrays:
    return _large_sets(sums, minimum)


def _gram(_: GramRequest, sums: Sums, minimum: int) -> Arrays:
    return _large_sets(sums, minimum)


def _large_sets(sums: Sums, minimum: int) -> Arrays:
    kept = sums["rows"] >= minimum
    return {
        name: np.where(kept.reshape(-1, *[1] * (value.ndim - 1)), value, 0).astype(value.dtype)
        for name, value in sums.values.items()
    }


def _scores(request: ScoreRequest, sums: Sums, minimum: int) -> Arrays:
    return _tables(dict(sums.values), minimum, request.scale is not None)


def _evaluation(request: EvaluationRequest, sums: Sums, minimum: int) -> Arrays:
    values = {name: value for name, value in sums.values.items() if name != "outputs"}
    folds = len(request.models)
    for name, value in values.items():
        joined = value.copy()
        joined[0], joined[1:folds] = value[:folds].sum(axis=0), 0
        values[name] = joined
    found = _tables(values, minimum, request.scale is not None)
    return {**found, "outputs": merge_small(sums["outputs"], minimum)} if "outputs" in sums.values else found


def _tables(values: Arrays, minimum: int, regression: bool) -> Arrays:
    found = {name: np.zeros_like(value) for name, value in values.items()}
    for table in range(len(values["rows"])):
        one = {name: value[table] for name, value in values.items()}
        limit = _errors if regression else _probabilities
        for name, value in limit(one, minimum).items():
            found[name][table] = value
    return found


def _probabilities(table: Arrays, minimum: int) -> Arrays:
    """[2, bins]: `rows`, and the sum of their `probability`."""
    found = {name: np.zeros_like(value) for name, value in table.items()}
    if has_small_class(table["rows"].sum(axis=1), minimum):
        return found
    for kind in (0, 1):
        rows, sums = table["rows"][kind], table["probability"][kind]
        for places in groups(rows, minimum):
            count, total = int(rows[places].sum()), float(sums[places].sum())
            place = int(score_bin(np.array([min(total / count, 1.0)]))[0])
            found["rows"][kind, place] += count
            found["probability"][kind, place] += count * MIDDLES[place]
    return found


def _errors(table: Arrays, minimum: int) -> Arrays:
    """[cells] of a regression: `rows` and sums that figures are made of, whichever cell they are in."""
    return _merged(table, minimum, np.arange(len(table["rows"])))


def _paired(request: PairedRequest, sums: Sums, minimum: int) -> Arrays:
    if request.scale is not None:
        return _paired_errors(sums, minimum)
    found = {name: np.zeros_like(value) for name, value in sums.values.items()}
    if has_small_class(sums["rows"].sum(axis=(1, 2)), minimum):
        return found
    grid = sums["rows"].shape[1]
    order = _diagonal(grid)
    for kind in (0, 1):
        table = _merged({name: value[kind].ravel() for name, value in sums.values.items()}, minimum, order)
        for name, value in table.items():
            known = value if name == "rows" else _to_middles(table["rows"], value)
            found[name][kind] = known.reshape(grid, grid)
    return found


def _paired_errors(sums: Sums, minimum: int) -> Arrays:
    grid = len(sums["rows"])
    flat = {name: value.ravel() for name, value in sums.values.items()}
    return {name: value.reshape(grid, grid) for name, value in _merged(flat, minimum, _diagonal(grid)).items()}


def _diagonal(grid: int) -> Integers:
    """The cells of a square along its diagonal: what is near in both directions is merged."""
    return np.argsort(np.add.outer(np.arange(grid), np.arange(grid)).ravel(), kind="stable")


def _to_middles(rows: Integers, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """[cells]: sums of probabilities as the rows at the middle of their mean's bin."""
    mean = np.minimum(sums / np.maximum(rows, 1), 1.0)
    return np.asarray(rows * MIDDLES[score_bin(mean)])


def _merged(table: Mapping[str, NDArray[Any]], minimum: int, order: Integers) -> Arrays:
    found = {name: np.zeros_like(value) for name, value in table.items()}
    rows = table["rows"]
    for members in groups(rows[order], minimum):
        places = order[members]
        place = places[rows[places].argmax()]
        for name, value in table.items():
            found[name][place] = value[places].sum()
    return found


def groups(rows: Integers, minimum: int) -> list[Integers]:
    """Neighbouring filled cells, merged until each group has the minimum; none where all together have less."""
    found: list[list[int]] = [[]]
    held = 0
    for place in np.flatnonzero(rows).tolist():
        found[-1].append(place)
        held += int(rows[place])
        if held >= minimum:
            found.append([])
            held = 0
    rest = found.pop()
    if not found:
        return []
    found[-1].extend(rest)
    return [np.array(places) for places in found]


def has_small_class(counts: Integers, minimum: int) -> bool:
    return bool(((counts > 0) & (counts < minimum)).any())


LIMITS: dict[type[Any], Callable[[Any, Sums, int], Arrays]] = {
    RangeRequest: _ranges,
    DescribeRequest: _description,
    NewtonRequest: _newton,
    GramRequest: _gram,
    ScoreRequest: _scores,
    EvaluationRequest: _evaluation,
    PairedRequest: _paired,
}
