"""A trained version in an MLflow of its own, and a prediction log of the traffic that a test wants."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from heart_api.contract import Dataset, Feature, Target
from heart_api.drift import CHECK_REQUEST, CheckOutcome, CheckRequest
from heart_api.evaluation import ServingReference
from heart_api.handover import Env, TrainingRequest, TrainingResult
from heart_api.training import Training
from heart_log.database import open_database
from heart_log.migrate import migrate
from heart_log.values import Key, Source
from heart_log.write import store_outcomes, store_predictions
from heart_trainer.__main__ import Progress, main
from heart_trainer.data.sources.cohort import heart_cohort
from heart_trainer.drift.command import run_check

UNTIL = datetime(2026, 11, 22, 6, tzinfo=UTC)
ROW_KEY = "a key"
FEATURES = (
    *(Feature(name=name, type="number") for name in ("age", "trestbps", "chol", "thalach", "oldpeak")),
    *(Feature(name=name, type="category", values=(0, 1), sensitive=name == "sex") for name in ("sex", "fbs", "exang")),
    Feature(name="ca", type="integer"),
)
TRAINING = Training.model_validate(
    {
        "algorithms": ["logistic-regression"],
        "tuning": {"trials": 0},
        "crossValidation": {"folds": 3},
        "calibration": "none",
    }
)


@dataclass(frozen=True)
class Trained:
    folder: Path
    result: TrainingResult

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"


def train(folder: Path, dataset: Dataset, trigger: str, **more: Any) -> TrainingResult:
    """A version of clinic.heart, by a training Job; `more`: further fields of the request, or DATABASE_URL."""
    database = more.pop("database", "")
    request = TrainingRequest(
        namespace="clinic",
        name="heart",
        registry_name="clinic.heart",
        trigger=trigger,
        job=f"heart-train-{trigger}",
        dataset=dataset,
        target=Target(name="num", positive_above=0, labels=("well", "ill")),
        features=FEATURES,
        training=TRAINING,
        **more,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in {
            Env.TRACKING_URI: f"sqlite:///{folder}/mlflow.db",
            Env.TRAINING_REQUEST: request.model_dump_json(by_alias=True),
            Env.TERMINATION_LOG: str(folder / "termination"),
            Env.ROW_KEY: ROW_KEY,
            Env.DATABASE_URL: database,
        }.items():
            patch.setenv(name, value)
        assert main([]) == 0
    return TrainingResult.model_validate(json.loads((folder / "termination").read_bytes())["result"])


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Version 1, on the synthetic cohort."""
    folder = tmp_path_factory.mktemp("trained")
    return Trained(folder, train(folder, Dataset(uri="builtin://heart-synthetic?rows=400"), "1"))


@dataclass(frozen=True)
class Log:
    """The prediction log of the model `heart`."""

    url: str
    engine: Engine
    digest: str

    def add(
        self,
        rows: int,
        *,
        hours: float,
        shift: float = 0.0,
        right: float | None = None,
        known: bool = False,
        seed: int = 1,
        version: str = "1",
        **more: Any,
    ) -> None:
        """`rows` patients, answered so many hours before UNTIL; what came true is stored too for `known`
        (as it was) and for `right` (a share of it as predicted)."""
        time = UNTIL - timedelta(hours=hours)
        cohort = heart_cohort(rows, seed, shift)
        found = cohort[[feature.name for feature in FEATURES]].to_dict("records")
        ids = [f"{hours}-{seed}-{shift}-{version}-{index}" for index in range(rows)]
        batch = [
            {
                "request_id": ids[index],
                "row_index": 0,
                "time": str(time.replace(tzinfo=None)),
                "features": {name: as_json(value) for name, value in row.items()},
                "outputs": [0.2, 0.8],
                "label": "ill",
                "shadow": False,
            }
            | more
            for index, row in enumerate(found)
        ]
        with self.engine.begin() as connection:
            store_predictions(connection, Source("heart", version, self.digest), json.dumps(batch))
            ill = list(cohort["num"] > 0) if known else [index < (right or 0) * rows for index in range(rows)]
            if known or right is not None:
                outcomes = {Key(ids[index], 0): "ill" if ill[index] else "well" for index in range(rows)}
                store_outcomes(connection, "heart", outcomes, time)


def as_json(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


@pytest.fixture
def log(tmp_path: Path, trained: Trained) -> Iterator[Log]:
    url = f"sqlite:///{tmp_path}/log.db"
    engine = open_database(url)
    with engine.begin() as connection:
        migrate(connection)
    yield Log(url, engine, trained.result.artifact_sha256)
    engine.dispose()


Check = Callable[..., tuple[CheckOutcome, int]]


@pytest.fixture
def run(trained: Trained, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """A check Job: its outcome as the operator reads it, and its exit code."""
    monkeypatch.chdir(trained.folder)

    def check(environ: dict[str, str | None] | None = None, **spec: Any) -> tuple[CheckOutcome, int]:
        serving = {"version": "1", "digest": trained.result.artifact_sha256}
        request = CheckRequest(
            namespace="clinic",
            name="heart",
            schedule=spec.pop("schedule", "watchful"),
            registry_name="clinic.heart",
            serving=ServingReference.model_validate(serving | spec.pop("serving", {})),
            features=FEATURES,
            until=f"{UNTIL:%Y-%m-%dT%H:%M:%SZ}",
            job="watchful-check-1",
            **spec,
        )
        termination = tmp_path / "termination"
        variables: dict[str, str | None] = {
            CHECK_REQUEST: request.model_dump_json(by_alias=True, exclude_none=True),
            Env.TERMINATION_LOG: str(termination),
            Env.TRACKING_URI: trained.tracking_uri,
            Env.DATABASE_URL: log.url,
            Env.ROW_KEY: ROW_KEY,
        } | (environ or {})
        given = {name: value for name, value in variables.items() if value is not None}
        code = run_check({**os.environ, **given}, Progress())
        return CheckOutcome.model_validate_json(termination.read_bytes()), code

    return check
