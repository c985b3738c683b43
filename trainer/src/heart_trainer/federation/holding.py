"""A site's rows: read from its own dataset, checked against the contract, and shielded before any sum is made.

What few rows share is taken out of the rows themselves, so that no answer can show it, whatever is asked: each number
stands for at least the minimum cell of neighbouring values (it is their mean), a value of a category or boolean that
fewer rows have becomes missing, and where fewer than that are missing they are filled.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import Dataset, Feature, Target
from heart_api.evaluation import Task
from heart_api.federation import SiteRequest, TrainingTask
from heart_api.handover import DataAccess, JobRequest
from heart_api.training import Training
from heart_trainer.data.contract import CheckedRows, Contract
from heart_trainer.data.load import contract_of, is_synthetic, read_dataset
from heart_trainer.data.rows import equal_rows
from heart_trainer.data.target import Encoded, encode_target
from heart_trainer.errors import ColumnsMissing, DataInvalid
from heart_trainer.evaluation.leaks import telling
from heart_trainer.federation.messages import Joined
from heart_trainer.sums.bins import GRIDS, on_grids
from heart_trainer.sums.describe import NUMBERS
from heart_trainer.sums.shared import share_values
from heart_trainer.values import Table


@dataclass(frozen=True)
class Holding:
    """`x`: [rows, features] as models get them, shielded. `y`: 0/1 or values. Never leaves the process.

    `plain`: the features as they were read, by which rows are dealt to parts: the same in every training, whoever was
    added meanwhile.
    """

    x: NDArray[np.float32]
    plain: NDArray[np.float32]
    y: NDArray[np.float64]
    task: Task
    classes: tuple[int | str, ...]
    joined: Joined

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class SiteRows:
    """A dataset that meets a contract. `without`: columns that the file does not have, and need not."""

    checked: CheckedRows
    without: tuple[str, ...]
    sha256: str
    synthetic: bool


def hold(request: SiteRequest, key: str, data: Path | None = None) -> Holding:
    """`key`: of the site, for the digest of its data. Raises TrainerError."""
    job = job_of(request.model_namespace, request.model_name, request)
    rows = read_site(job, data)
    x = rows.checked.encoded.to_numpy(np.float32)
    task, y, classes = answers_of(rows, job)
    minimum = request.minimum_cell
    joined = Joined(
        rows=len(y),
        task=task,
        classes=classes,
        dataset_digest=_digest(key, rows.sha256),
        synthetic=rows.synthetic,
        duplicates=_rounded(int(len(y) - (equal_rows(np.column_stack([x, y])).max() + 1)), minimum),
        telling=tuple(telling(_table(x, y, task, classes), request.features)),
        without=tuple(f.name for i, f in enumerate(request.features) if np.isnan(x[:, i]).all()),
    )
    values = y.astype(np.float64)
    shown = shared(values, minimum) if task == "regression" else values
    return Holding(shield(x, request.features, minimum), x, shown, task, classes, joined)


def job_of(namespace: str, name: str, about: SiteRequest) -> JobRequest:
    """As the readers of datasets know a request."""
    return reading(namespace, name, about.dataset, about.target, about.features, about.task, about.access)


def reading(
    namespace: str,
    name: str,
    dataset: Dataset,
    target: Target,
    features: tuple[Feature, ...],
    task: TrainingTask,
    access: DataAccess,
) -> JobRequest:
    return JobRequest(
        namespace=namespace,
        name=name,
        registry_name=name,
        trigger="federation",
        dataset=dataset,
        target=target,
        features=features,
        training=Training(task=task),
        access=access,
    )


def read_site(job: JobRequest, data: Path | None = None) -> SiteRows:
    """Columns that the contract does not require may be missing from the file. Raises TrainerError."""
    contract = contract_of(job, data)
    without: tuple[str, ...] = ()
    try:
        checked, _, sha256 = read_dataset(job, contract, data)
    except ColumnsMissing as missing:
        without = _dispensable(missing, contract)
        contract = replace(contract, features=tuple(f for f in contract.features if f.name not in without))
        checked, _, sha256 = read_dataset(job, contract, data)
    encoded = checked.encoded.reindex(columns=[feature.name for feature in job.features]).astype(np.float64)
    return SiteRows(replace(checked, encoded=encoded), without, sha256, is_synthetic(job, data))


class SeveralClasses(DataInvalid):
    """A federation trains two."""


def answers_of(rows: SiteRows, job: JobRequest) -> Encoded:
    """(task, y, classes) of two classes or a number. Raises DataInvalid."""
    found = encode_target(rows.checked.target, job.target, job.training)
    if found[0] == "multiclass":
        raise SeveralClasses(
            f"The target {job.target.name} has {len(found[2])} classes; a federation trains two "
            "(spec.target.positiveAbove makes two of numbers)."
        )
    return found


def _dispensable(missing: ColumnsMissing, contract: Contract) -> tuple[str, ...]:
    """Features that may be missing; raises the error where one of the columns must be there."""
    absent = [feature for feature in contract.features if feature.file_column in missing.columns]
    if contract.target.file_column in missing.columns or any(f.required for f in absent):
        raise missing
    if len(absent) in (0, len(contract.features)):
        raise missing
    return tuple(feature.name for feature in absent)


def _digest(key: str, sha256: str) -> str:
    """Equal data give an equal one; without the key nobody can try out which rows give it."""
    return f"sha256:{hmac.new(key.encode(), sha256.encode(), hashlib.sha256).hexdigest()}"


def _rounded(count: int, minimum: int) -> int:
    return count - count % max(minimum, 1)


def _table(x: NDArray[np.float32], y: NDArray[Any], task: Task, classes: tuple[int | str, ...]) -> Table:
    """For checks of rows inside the site."""
    return Table(pd.DataFrame(), x, y, classes, (), equal_rows(x), "", False, task, 0)


def shield(x: NDArray[np.float32], features: Sequence[Feature], minimum: int) -> NDArray[np.float32]:
    """[rows, features] in which every value of a column, and that one is missing, is that of `minimum` rows or more."""
    columns = [_shielded(x[:, i], feature.type in NUMBERS, max(minimum, 1)) for i, feature in enumerate(features)]
    return np.column_stack(columns).astype(np.float32)


def _shielded(column: NDArray[np.float32], is_number: bool, minimum: int) -> NDArray[np.float32]:
    found = column.copy()
    if not is_number:
        values, counts = np.unique(found[~np.isnan(found)], return_counts=True)
        found[np.isin(found, values[counts < minimum])] = np.nan
    missing = np.isnan(found)
    if (~missing).sum() < minimum:
        return np.full_like(found, np.nan)
    if is_number:
        found[~missing] = shared(found[~missing].astype(np.float64), minimum)
    if 0 < missing.sum() < minimum:
        values, counts = np.unique(found[~missing], return_counts=True)
        found[missing] = np.median(found[~missing]) if is_number else values[counts.argmax()]
    return found


def shared(values: NDArray[np.float64], minimum: int) -> NDArray[np.float64]:
    """Each value as the mean of at least `minimum` neighbours, rounded to the grid that all of them are on."""
    if minimum <= 1:
        return values
    found = share_values(values, minimum)
    on_grid = on_grids(values.astype(np.float32)) == len(values)
    steps = [step for step, every in zip(GRIDS, on_grid, strict=True) if every]
    return np.asarray(np.round(found / steps[0]) * steps[0]) if steps else found


def enough(holding: Holding, request: SiteRequest, parts: Mapping[int, int] | None = None) -> str:
    """Why the site has too few rows to answer; empty if it has enough. No count of few rows is named."""
    if len(holding) < request.minimum_rows:
        return f"it has fewer than {request.minimum_rows} rows, the least that it answers about"
    if holding.task == "binary":
        rarer = min(holding.y.sum(), len(holding) - holding.y.sum())
        if rarer < max(request.minimum_cell, 1):
            return f"fewer than {request.minimum_cell} of its rows are of the rarer class"
    if parts and min(parts.values()) < request.minimum_cell:
        return f"a fold has fewer than {request.minimum_cell} of its rows: it takes part with fewer folds alone"
    return ""
