"""Models of every family that the trainer offers, fitted on rows of MIXED."""

from typing import Any

import numpy as np

from heart_trainer.fit import calibrate, families
from heart_trainer.fit import search as tune
from heart_trainer.fit.calibrate import CalibratedModel, Method
from heart_trainer.fit.families import Setting
from heart_trainer.values import Table
from tests.support.trainer.requests import MIXED, mixed_rows, table

TASKS = {"binary": 2, "multiclass": 3, "regression": 0}


def problem(task: str, rows: int = 400) -> Table:
    x, score = mixed_rows(rows)
    if task == "regression":
        return table(x, score * 100_000, 0)
    return table(x, np.digitize(score, [1.0] if task == "binary" else [0.0, 2.0]), TASKS[task])


_KNOWN: dict[tuple[object, ...], Any] = {}


def fitted(algorithm: Any, rows: Table, calibration: Method = "none", features: Any = MIXED) -> Any:
    """Equal rows give an equal model: each is fitted once."""
    key = (algorithm, calibration, features, rows.x.tobytes(), rows.y.tobytes())
    if key not in _KNOWN:
        plain = (
            fitted_anew(algorithm, rows, features)
            if calibration == "none"
            else fitted(algorithm, rows, "none", features)
        )
        _KNOWN[key] = calibrated(plain, rows, calibration)
    return _KNOWN[key]


def fitted_anew(algorithm: Any, rows: Table, features: Any = MIXED) -> Any:
    setting = Setting(features, rows.task == "regression", 42)
    return tune.fit_one(algorithm, families.defaults(algorithm), setting, rows.x, rows.y)


def calibrated(model: Any, rows: Table, calibration: Method) -> Any:
    if calibration == "none":
        return model
    doubtful = 0.6 * model.predict_proba(rows.x) + 0.4 / len(rows.classes)
    calibrator = calibrate.learn(calibration, doubtful, rows.y)
    assert calibrator
    return CalibratedModel(model, calibrator)
