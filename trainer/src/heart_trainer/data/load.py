"""From a request to a Table: fetch, read, check each cell against the contract, encode."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import Feature, Target
from heart_api.handover import Env, JobRequest
from heart_trainer.data.chunk import check_all
from heart_trainer.data.columns import numbers
from heart_trainer.data.contract import CheckedRows, Contract, check_rows
from heart_trainer.data.feedback import add_feedback
from heart_trainer.data.findings import file_findings
from heart_trainer.data.read import read_columns
from heart_trainer.data.rows import equal_rows, row_keys
from heart_trainer.data.sources import fetch
from heart_trainer.data.sources.builtin import SYNTHETIC, VITALS
from heart_trainer.data.sources.fetch import digest
from heart_trainer.data.sources.stored import digest_of, is_prefix, stored_files
from heart_trainer.data.stream import how_read, read_chunks
from heart_trainer.data.target import check_enough, encode_target
from heart_trainer.values import Table

LAPTOP_KEY = b"heartops-laptop"
"""Row key where the runtime Secret gives none. It is public: row hashes made with it can be guessed."""

log = logging.getLogger(__name__)


def load(request: JobRequest, environ: Mapping[str, str], data: Path | None = None) -> Table:
    """Return the dataset of a request, checked. `data`: a local file in place of its URI. Raises TrainerError."""
    contract = contract_of(request, data)
    rows, notes, sha256 = read_dataset(request, contract, data)
    findings = file_findings(rows, request.features)
    synthetic = is_synthetic(request, data)
    if request.dataset.include_feedback:
        rows, sha256 = add_feedback(rows, sha256, request, environ)
    table = _table(rows, request, row_key(environ), sha256, synthetic)
    return replace(table, reading=notes, findings=findings)


def read_dataset(
    request: JobRequest, contract: Contract, data: Path | None
) -> tuple[CheckedRows, tuple[str, ...], str]:
    """Return the rows, checked by the contract, how they were read, and the digest of what they were read from."""
    if is_prefix(request.dataset) or (data is not None and data.is_dir()):
        files = stored_files(request.dataset, request.access, data)
        sha256 = digest_of(files, request.dataset)
        return check_all(read_chunks(files, contract), contract), (how_read(files, contract),), sha256
    content = fetch(request.dataset, request.access, data)
    raw = read_columns(content, contract)
    return check_rows(raw.columns, contract), raw.notes, digest(content)


def is_synthetic(request: JobRequest, data: Path | None) -> bool:
    """Return whether the rows are generated, so that they say nothing about anybody."""
    return data is None and request.dataset.uri.startswith((f"builtin://{SYNTHETIC}", f"builtin://{VITALS}"))


def contract_of(request: JobRequest, data: Path | None) -> Contract:
    """Return what the rows of a request have to be.

    Built-in sets are CSV under names of their own, whatever the spec says of the file that they stand in for.
    """
    dataset = request.dataset
    if data is None and dataset.uri.startswith("builtin://"):
        dataset = dataset.model_copy(update={"format": "csv", "columns": None, "header": None, "csv": None})
    return Contract(request.features, request.target, dataset)


def row_key(environ: Mapping[str, str]) -> bytes:
    """Return the key of the row hashes; without one a public key, which is for trying out only."""
    key = environ.get(Env.ROW_KEY)
    if not key:
        log.warning("%s is not set: row hashes are made with a public key, which is for trying out only.", Env.ROW_KEY)
    return key.encode() if key else LAPTOP_KEY


def _table(checked: CheckedRows, request: JobRequest, secret: bytes, sha256: str, synthetic: bool) -> Table:
    x = checked.encoded.to_numpy(np.float32)
    texts = checked.target
    task, y, classes = encode_target(texts, request.target, request.training)
    groups = equal_rows(x)
    check_enough(y, groups, classes, request.training.cross_validation.folds)
    rows = readable(checked.encoded, request.features)
    keys = row_keys(with_target(rows, request.target, texts), secret)
    return Table(rows, x, y, classes, keys, groups, sha256, synthetic, task, duplicates=len(keys) - len(set(keys)))


def readable(encoded: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """Return the rows with categories as the contract's own values instead of their indices."""
    frame = encoded.copy()
    for feature in features:
        if feature.type == "category":
            values: NDArray[Any] = np.array([*(feature.values or ()), np.nan], dtype=object)
            index = encoded[feature.name].fillna(len(values) - 1).to_numpy(np.int64)
            frame[feature.name] = pd.Series(values[index], dtype=object, index=frame.index)
    return frame


def with_target(rows: pd.DataFrame, target: Target, texts: "pd.Series[str]") -> pd.DataFrame:
    """Return the rows with the target as their last column, as `texts` has it."""
    values = numbers(texts)
    return rows.assign(**{target.name: values.where(values.notna(), texts.astype(object))})
