"""From a request to a Table: fetch, parse, enforce the contract, encode."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import Feature, Target
from heart_api.handover import Env, JobRequest
from heart_trainer.data.coerce import encode, numbers
from heart_trainer.data.contract import validate
from heart_trainer.data.feedback import add_feedback
from heart_trainer.data.parse import parse, without_missing
from heart_trainer.data.rows import equal_rows, row_keys
from heart_trainer.data.sources import fetch
from heart_trainer.data.sources.builtin import SYNTHETIC
from heart_trainer.data.sources.fetch import digest
from heart_trainer.data.target import check_enough, encode_target
from heart_trainer.values import Table

LAPTOP_KEY = b"heartops-laptop"
"""Row key where the runtime Secret gives none. It is public: row hashes made with it can be guessed."""

log = logging.getLogger(__name__)


def load(request: JobRequest, environ: Mapping[str, str], data: Path | None = None) -> Table:
    """The dataset of a request, checked; `data`: a local file in place of its URI. Raises TrainerError."""
    content = fetch(request.dataset, request.access, data)
    builtin = data is None and request.dataset.uri.startswith("builtin://")
    # Built-in sets name their own columns, and are CSV whatever the spec says of the file that they stand in for.
    dataset = request.dataset.model_copy(update={"format": "csv", "columns": None}) if builtin else request.dataset
    raw = _mark_missing(parse(content, dataset), request)
    validate(raw, request.features, request.target)
    synthetic = builtin and request.dataset.uri.startswith(f"builtin://{SYNTHETIC}")
    sha256 = digest(content)
    if request.dataset.include_feedback:
        raw, sha256 = add_feedback(raw, sha256, request, environ)
    return _table(raw, request, row_key(environ), sha256, synthetic)


def row_key(environ: Mapping[str, str]) -> bytes:
    key = environ.get(Env.ROW_KEY)
    if not key:
        log.warning("%s is not set: row hashes are made with a public key, which is for trying out only.", Env.ROW_KEY)
    return key.encode() if key else LAPTOP_KEY


def _mark_missing(raw: pd.DataFrame, request: JobRequest) -> pd.DataFrame:
    everywhere = frozenset(request.dataset.missing_values)
    own = {f.name: everywhere | set(f.missing_values) for f in request.features}
    return raw.apply(lambda column: without_missing(column, own.get(str(column.name), everywhere)))


def _table(raw: pd.DataFrame, request: JobRequest, secret: bytes, sha256: str, synthetic: bool) -> Table:
    encoded = pd.DataFrame({f.name: encode(raw[f.name], f) for f in request.features})
    x = encoded.to_numpy(np.float32)
    texts = raw[request.target.name]
    task, y, classes = encode_target(texts, request.target, request.training)
    groups = equal_rows(x)
    check_enough(y, groups, classes, request.training.cross_validation.folds)
    rows = readable(encoded, request.features)
    keys = row_keys(_with_target(rows, request.target, texts), secret)
    return Table(rows, x, y, classes, keys, groups, sha256, synthetic, task, duplicates=len(keys) - len(set(keys)))


def readable(encoded: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    """Categories as the contract's own values instead of their indices."""
    frame = encoded.copy()
    for feature in features:
        if feature.type == "category":
            values: NDArray[Any] = np.array([*(feature.values or ()), np.nan], dtype=object)
            index = encoded[feature.name].fillna(len(values) - 1).to_numpy(np.int64)
            frame[feature.name] = pd.Series(values[index], dtype=object, index=frame.index)
    return frame


def _with_target(rows: pd.DataFrame, target: Target, texts: "pd.Series[str]") -> pd.DataFrame:
    values = numbers(texts)
    return rows.assign(**{target.name: values.where(values.notna(), texts.astype(object))})
