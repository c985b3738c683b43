"""The evaluation exchange: every row's answer by the model that did not learn from it, whole and by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heart_api.evaluation import SliceEstimate
from heart_trainer.evaluation.evaluate import Measured, Measurement, Member, gaps_between
from heart_trainer.evaluation.slices import FEWEST_ROWS
from heart_trainer.sums.additive import Field, Schema, Sums
from heart_trainer.sums.bins import Axis
from heart_trainer.sums.calibration import Model
from heart_trainer.sums.figures import measured
from heart_trainer.sums.linear import Floats
from heart_trainer.sums.rows import Rows
from heart_trainer.sums.scores import (
    Cells,
    ErrorCells,
    Scale,
    cells_of,
    count_cells,
    error_cells_of,
    joined,
    stack,
    table_schema,
)
from heart_trainer.sums.slices import Rule
from heart_trainer.sums.split import HELD, Split


@dataclass(frozen=True)
class EvaluationRequest:
    """Tables of each fold, then of each rule. `models`: those that judge rows, by the fold's number."""

    split: Split
    models: tuple[Model, ...]
    rules: tuple[Rule, ...]
    scale: Scale | None = None
    outputs: Axis | None = None
    """Bins of a regression's answers."""

    def schema(self) -> Schema:
        tables = table_schema(len(self.models) + len(self.rules), self.scale is not None)
        return (*tables, Field("outputs", "count", (self.outputs.bins,))) if self.outputs else tables

    def collect(self, rows: Rows) -> Sums:
        fold = self.split.fold_of(self.split.part_of(rows.draw))
        output = self.out_of_fold(rows.x, fold)
        known = fold != HELD
        masks = [fold == k for k in range(len(self.models))] + [known & rule.applies(rows.x) for rule in self.rules]
        tables = stack([count_cells(rows.y[mask], output[mask], self.scale) for mask in masks], self.scale is not None)
        if self.outputs is None:
            return tables
        counts = np.bincount(self.outputs.place(output[known]), minlength=self.outputs.bins)
        return Sums(self.schema(), {**tables.values, "outputs": counts})

    def out_of_fold(self, x: NDArray[np.float32], fold: NDArray[np.int64]) -> Floats:
        """[rows]: the answer of the fold's own model, NaN for rows that no model judges."""
        output = np.full(len(x), np.nan)
        for k, model in enumerate(self.models):
            output[fold == k] = model.answers(x[fold == k])
        return output


def measure(
    request: EvaluationRequest, summed: Sums, seed: int, holders: Mapping[str, Sums] | None = None
) -> Measurement:
    """What evaluation.evaluate.measure says of rows, from their sums.

    `holders`: answers by the name of a site, to make each of them a group of the feature `site`.
    """
    folds = list(range(len(request.models)))
    everything = measured(judged_cells(request, summed, folds), seed)
    members = [
        Member(rule.feature, rule.group, one)
        for index, rule in enumerate(request.rules)
        if (one := _group(request, summed, len(folds) + index, seed))
    ]
    members += [
        Member("site", name, measured(cells, seed))
        for name, answer in (holders or {}).items()
        if (cells := judged_cells(request, answer, folds)).n >= FEWEST_ROWS
    ]
    slices = (SliceEstimate(feature=m.feature, group=m.group, metrics=m.measured.estimates) for m in members)
    return Measurement(everything.estimates, tuple(slices), gaps_between(members))


def judged_cells(request: EvaluationRequest, summed: Sums, tables: Sequence[int]) -> Cells | ErrorCells:
    """The cells of some tables as one."""
    values = {field.name: summed[field.name] for field in table_schema(1, request.scale is not None)}
    whole = Sums(table_schema(len(request.models) + len(request.rules), request.scale is not None), values)
    one = joined(whole, list(tables))
    return cells_of(one, 0) if request.scale is None else error_cells_of(one, 0)


def _group(request: EvaluationRequest, summed: Sums, table: int, seed: int) -> Measured | None:
    cells = judged_cells(request, summed, [table])
    return measured(cells, seed) if cells.n >= FEWEST_ROWS else None
