"""Trainings on a real server of buckets, which checks signatures and stores: `s3://` and DVC's remote.

The tests with moto (data/test_stored.py, data/test_dvc.py) are of the same readers, on one that believes everybody.
"""

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from s3fs import S3FileSystem

from hack.cluster.paths import REPO, object_store_dir
from hack.venvs import NotInstalled, make
from heart_api.contract import Dataset
from heart_api.handover import DataAccess, Env, TrainingOutcome
from heart_trainer.__main__ import main
from heart_trainer.data.sources import dvc
from heart_trainer.data.sources.cohort import heart_cohort
from heart_trainer.data.sources.fetch import fetch
from heart_trainer.data.sources.stored import digest_of, stored_files
from heart_trainer.errors import SourceError
from heart_trainer.manifest import read_manifest
from tests.support.dvc_server import DvcServer, stored
from tests.support.object_store import ObjectStore, running
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.skipif(not SOAK, reason="compiles versitygw: in make test-soak"),
    pytest.mark.timeout(1800),
]

LOCK = REPO / "requirements" / "dvc.txt"
DVC = ["--require-hashes", "--no-deps", "-r", str(LOCK)]
PART = 5 << 20
"""Bytes that the driver asks for at once."""
ACCESS = DataAccess(schemes=("s3", "dvc+http"), hosts=("127.0.0.1",))
ROWS = heart_cohort(200, 3).to_csv(index=False).encode()
FILE = "data/heart.csv"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    subprocess.run((sys.executable, "-m", "hack.cluster", "build", "--object-store"), cwd=REPO, check=True)
    with running(object_store_dir() / "bin" / "versitygw", tmp_path_factory.mktemp("objects")) as found:
        yield found


@pytest.fixture
def bucket(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of this test's; the environment is that of a pod."""
    for name, value in store.environ.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    yield store.bucket(f"clinic-{uuid4().hex[:8]}")
    S3FileSystem.clear_instance_cache()


@pytest.fixture
def train(
    manifest: Path, tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Dataset], TrainingOutcome]:
    """Trains on a dataset as the Job does."""

    def run(dataset: Dataset) -> TrainingOutcome:
        request = read_manifest(manifest, "t-1").model_copy(update={"dataset": dataset, "access": ACCESS})
        termination = tmp_path / "termination"
        monkeypatch.setenv(Env.TRAINING_REQUEST, request.model_dump_json(by_alias=True))
        monkeypatch.setenv(Env.TRACKING_URI, tracking_uri)
        monkeypatch.setenv(Env.ROW_KEY, "a key")
        monkeypatch.setenv(Env.TERMINATION_LOG, str(termination))
        main([])
        return TrainingOutcome.model_validate_json(termination.read_bytes())

    return run


def test_a_file_in_a_bucket_is_trained_on(bucket: Any, train: Callable[[Dataset], TrainingOutcome]) -> None:
    bucket.put_object(Key=FILE, Body=ROWS)
    outcome = train(Dataset(uri=f"s3://{bucket.name}/{FILE}", sha256=hashlib.sha256(ROWS).hexdigest()))
    assert outcome.failure is None
    assert outcome.result
    assert outcome.result.version == "1"


def test_a_file_that_dvc_tracks_is_trained_on(
    bucket: Any, train: Callable[[Dataset], TrainingOutcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pointer is in Git, its bytes in the bucket alone."""
    try:
        monkeypatch.setattr(dvc, "INTERPRETER", make("dvc", DVC, LOCK.read_text()).python)
    except NotInstalled as error:
        pytest.skip(f"DVC cannot be installed here: {error}")
    (tmp_path / "git").mkdir()
    with DvcServer.running(tmp_path / "git") as server:
        server.track(ROWS, FILE, {".dvc/config": server.config(f"s3://{bucket.name}/store")})
        server.files.clear()
        dataset = Dataset(uri=server.uri(FILE))
        missing = train(dataset).failure
        assert missing
        assert (missing.reason, "does not exist" in missing.message) == ("DatasetUnreachable", True), missing.message
        bucket.put_object(Key=stored(ROWS).lstrip("/"), Body=ROWS)
        S3FileSystem.clear_instance_cache()  # another Job
        outcome = train(dataset)
    assert outcome.failure is None
    assert outcome.result


def test_files_below_an_address_are_listed_and_read_in_parts(bucket: Any) -> None:
    """More bytes than one request brings; hidden files are no data."""
    rng = np.random.default_rng(1)
    tables = {key: rng.normal(size=700_000) for key in ("2024/b.parquet", "2024/a.parquet")}
    files = {}
    for key, values in tables.items():
        pd.DataFrame({"age": values}).to_parquet(buffer := io.BytesIO())
        files[key] = buffer.getvalue()
    for key, content in (files | {"2024/_log/c.parquet": b"", "2023/d.parquet": b""}).items():
        bucket.put_object(Key=key, Body=content)
    dataset = Dataset(uri=f"s3://{bucket.name}/2024/", format="parquet")
    found = stored_files(dataset, ACCESS)
    sizes = [("a.parquet", len(files["2024/a.parquet"])), ("b.parquet", len(files["2024/b.parquet"]))]
    assert [(file.name, file.size) for file in found] == sizes
    assert min(size for _, size in sizes) > PART
    lines = [f"{hashlib.sha256(files[f'2024/{name}']).hexdigest()}  {name}\n" for name, _ in sizes]
    assert digest_of(found, dataset) == f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
    with found[0].open() as stream:
        assert len(pd.read_parquet(stream)) == 700_000


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AWS_SECRET_ACCESS_KEY", "another", "may not be read with these credentials"),
        ("AWS_ACCESS_KEY_ID", "nobody", "OSError: XAdminUserNotFound"),  # versitygw's own; S3 says InvalidAccessKeyId
        ("AWS_DEFAULT_REGION", "us-east-1", "OSError: 400"),
    ],
)
def test_a_login_that_the_server_rejects_is_said(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    bucket.put_object(Key=FILE, Body=ROWS)
    monkeypatch.setenv(variable, value)
    error = refused(f"s3://{bucket.name}/{FILE}")
    assert words in error.message


@pytest.mark.parametrize("address", ["other/data/heart.csv", "{bucket}/data/other.csv"])
def test_what_is_not_there_is_said(bucket: Any, address: str) -> None:
    error = refused(f"s3://{address.format(bucket=bucket.name)}")
    assert (error.permanent, "does not exist" in error.message) == (True, True), error.message


def refused(uri: str) -> SourceError:
    with pytest.raises(SourceError) as found:
        fetch(Dataset(uri=uri), ACCESS)
    assert found.value.reason == "DatasetUnreachable"
    return found.value
