"""Files below an address: which they are, in which order, and what their digest is."""

import gzip
import hashlib
import io
from pathlib import Path

import boto3
import pandas as pd
import pytest
from moto.server import ThreadedMotoServer

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import DataAccess, TrainingRequest
from heart_trainer.data.contract import Contract
from heart_trainer.data.load import load
from heart_trainer.data.sources import mounts, objects
from heart_trainer.data.sources.stored import digest_of, is_prefix, stored_files
from heart_trainer.data.stream import read_chunks
from heart_trainer.errors import SourceError

ACCESS = DataAccess()


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mounts, "ROOT", tmp_path)
    folder = tmp_path / "pvc/data/cohort"
    (folder / "year=2024").mkdir(parents=True)
    (folder / "_temporary").mkdir()
    return folder


def dataset(uri: str = "pvc://data/cohort/", **more: object) -> Dataset:
    return Dataset.model_validate({"uri": uri, "format": "parquet", **more})


def rows(first: int, count: int) -> pd.DataFrame:
    numbers = range(first, first + count)
    return pd.DataFrame({"age": [float(n) for n in numbers], "num": [n % 2 for n in numbers]})


def test_all_parquet_files_of_a_volume_are_read_in_the_order_of_their_names(volume: Path) -> None:
    rows(0, 40).to_parquet(volume / "b.parquet")
    rows(40, 40).to_parquet(volume / "a.parquet")
    rows(80, 40).to_parquet(volume / "year=2024/c.parquet")
    for ignored in ("_temporary/d.parquet", ".e.parquet", "readme.txt"):
        (volume / ignored).write_bytes(b"nothing")
    (volume / "link.parquet").symlink_to("/etc/passwd")
    files = stored_files(dataset(), ACCESS)
    assert [file.name for file in files] == ["a.parquet", "b.parquet", "year=2024/c.parquet"]
    request = TrainingRequest.model_validate(
        {
            "namespace": "n",
            "name": "m",
            "registryName": "n.m",
            "trigger": "t",
            "dataset": dataset(),
            "target": Target(name="num"),
            "features": [Feature(name="age", type="number")],
            "training": {"crossValidation": {"folds": 3}},
        }
    )
    table = load(request, {})
    assert table.x[:, 0].tolist() == [*range(40, 80), *range(40), *range(80, 120)]
    assert table.raw_sha256 == digest_of(files, dataset())


def test_the_digest_of_several_files_is_that_of_sha256sums_lines(volume: Path) -> None:
    contents = {"a.parquet": b"one", "b.parquet": b"two"}
    for name, content in contents.items():
        (volume / name).write_bytes(content)
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    expected = hashlib.sha256(lines.encode()).hexdigest()
    files = stored_files(dataset(), ACCESS)
    assert digest_of(files, dataset(sha256=expected)) == f"sha256:{expected}"
    with pytest.raises(SourceError, match=r"dataset\.sha256 names another"):
        digest_of(files, dataset(sha256="0" * 64))


def test_a_folder_without_parquet_files_is_named(volume: Path) -> None:
    with pytest.raises(SourceError, match=r"pvc://data/cohort/ holds no file that ends in \.parquet"):
        stored_files(dataset(), ACCESS)


def test_a_path_that_leaves_its_volume_is_rejected(volume: Path) -> None:
    with pytest.raises(SourceError, match="leaves its volume"):
        stored_files(Dataset.model_construct(uri="pvc://data/%2e%2e/", format="parquet", sha256=None), ACCESS)


def test_only_volumes_and_buckets_have_folders() -> None:
    assert [is_prefix(dataset(uri)) for uri in ("pvc://a/b/", "s3://a/", "gs://a/b/")] == [True] * 3
    assert [is_prefix(dataset(uri)) for uri in ("https://example.org/cohort/", "builtin://iris/", "pvc://a/b")] == [
        False
    ] * 3


def test_a_bucket_is_read_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=url)
        client.create_bucket(Bucket="cohorts")
        for key in ("2024/b.parquet", "2024/a.parquet", "2024/_log/c.parquet", "2023/d.parquet"):
            client.put_object(Bucket="cohorts", Key=key, Body=key.encode())
        objects.file_system("s3").clear_instance_cache()
        files = stored_files(dataset("s3://cohorts/2024/"), ACCESS)
        assert [file.name for file in files] == ["a.parquet", "b.parquet"]
        assert files[0].size == len("2024/a.parquet")
        with files[0].open() as stream:
            assert stream.read() == b"2024/a.parquet"
    finally:
        server.stop()


class Failing(io.BytesIO):
    """A connection that is lost once it has given so many bytes."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self.left = most

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.left -= len(found)
        if self.left < 0:
            raise ConnectionResetError(104, "Connection reset by peer")
        return found


@pytest.mark.parametrize("suffix", ["parquet", "csv", "csv.gz"])
def test_a_connection_that_is_lost_in_the_middle_is_no_damaged_file(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rows(0, 60_000)
    content = frame.to_parquet(row_group_size=1000) if suffix == "parquet" else frame.to_csv(index=False).encode()
    content = gzip.compress(content, 1) if suffix == "csv.gz" else content

    class System:
        def size(self, uri: str) -> int:
            return len(content)

        def open(self, uri: str, mode: str) -> io.BytesIO:
            return Failing(content, 2 * len(content) // 3)

    monkeypatch.setattr(objects, "file_system", lambda scheme: System())
    form = "parquet" if suffix == "parquet" else "csv"
    asked = Dataset.model_validate({"uri": f"s3://cohorts/rows.{suffix}", "format": form})
    contract = Contract((Feature(name="age", type="number"),), Target(name="num"), asked)
    with pytest.raises(SourceError) as caught:
        list(read_chunks(stored_files(asked, ACCESS), contract))
    said = f"s3://cohorts/rows.{suffix} could not be read (ConnectionResetError); it is tried again."
    assert (caught.value.message, caught.value.permanent) == (said, False)


def test_a_folder_without_its_slash_is_named(volume: Path) -> None:
    rows(0, 40).to_parquet(volume / "a.parquet")
    with pytest.raises(SourceError, match=r"pvc://data/cohort is a folder: end the address with / to have"):
        stored_files(dataset("pvc://data/cohort"), ACCESS)
