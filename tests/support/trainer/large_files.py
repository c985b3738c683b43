"""A cohort that is read in chunks, and trainings on it from the HeartModel file to the registered version."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from heart_api.evaluation import Evaluation
from heart_trainer.__main__ import main
from heart_trainer.data.sources.cohort import heart_cohort

ROWS = 3000


def small_cohort() -> pd.DataFrame:
    frame = heart_cohort(ROWS, 5)[["age", "sex", "thalach", "oldpeak", "num"]]
    return (
        frame.astype({"age": "float64"})
        .mask(np.random.default_rng(0).random(frame.shape) < 0.02)
        .assign(num=frame["num"])
    )


def change(manifest: Path, **spec: Any) -> None:
    document = yaml.safe_load(manifest.read_text())
    for name, value in spec.items():
        document["spec"].setdefault(name, {}).update(value)
    manifest.write_text(yaml.safe_dump(document))


def train(manifest: Path, tracking_uri: str, data: Path, out: Path) -> int:
    return main([str(manifest), "--data", str(data), "--tracking-uri", tracking_uri, "--out", str(out)])


def evaluation(out: Path) -> Evaluation:
    return Evaluation.model_validate_json((out / "evaluation/evaluation.json").read_bytes())
