"""`kubectl heart copy` against a real MLflow: the bytes that served, as a version of another registered model."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from heart_api.handover import Tag
from heart_cli.copying.copy import Proven, Target, copy_version
from heart_cli.copying.workspace import Workspace
from heart_cli.errors import Failure
from tests.support.registry.mlflow import running_mlflow

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

MODEL = b"an ONNX file"
DIGEST = f"sha256:{hashlib.sha256(MODEL).hexdigest()}"
PRODUCTION = Target("heart", "production")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as uri:
        yield uri


@pytest.fixture(scope="module")
def client(uri: str, tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    """With version 1 of `staging`, as a training leaves it."""
    client = MlflowClient(uri, uri)
    run = client.create_run(client.create_experiment("staging"))
    for name, data in (("model/model.onnx", MODEL), ("evaluation/evaluation.json", json.dumps({"auc": 0.9}).encode())):
        file = tmp_path_factory.mktemp("files") / Path(name).name
        file.write_bytes(data)
        client.log_artifact(run.info.run_id, str(file), str(Path(name).parent))
    client.create_registered_model("staging")
    tags = {Tag.SEAL: "sealed", Tag.TRIGGER: "spec-1", Tag.SIGNATURE: "signed", Tag.REJECTED: ""}
    client.create_model_version("staging", f"{run.info.artifact_uri}/model", run.info.run_id, tags=tags)
    return client


def copied(uri: str, digest: str = DIGEST, to: Target = PRODUCTION, *, dry: bool = False) -> str:
    staging, production = Workspace(uri, "clinic-staging", {}), Workspace(uri, "clinic", {})
    return copy_version(staging, "staging", Proven("1", digest), production, to, dry=dry)


def tags_of(client: MlflowClient, version: str) -> dict[str, Any]:
    return dict(client.get_model_version("production", version).tags)


def test_the_copy_has_the_bytes_and_the_evaluation_and_no_seal(uri: str, client: MlflowClient, tmp_path: Path) -> None:
    version = copied(uri)
    root = client.get_model_version_download_uri("production", version)
    run = client.get_run(client.get_model_version("production", version).run_id)
    assert root.startswith(run.info.artifact_uri)
    for name, data in (("model/model.onnx", MODEL), ("copied/evaluation.json", b'{"auc": 0.9}')):
        assert Path(client.download_artifacts(run.info.run_id, name, str(tmp_path))).read_bytes() == data
    tags = tags_of(client, version)
    assert tags[Tag.COPIED_FROM] == "clinic-staging/staging/1"
    assert (tags[Tag.MODEL], tags[Tag.ARTIFACT_SHA256]) == ("clinic/heart", DIGEST)
    assert not {Tag.SEAL, Tag.SIGNATURE, Tag.TRIGGER, Tag.REJECTED} & tags.keys(), "it proves nothing where it comes to"
    assert client.get_registered_model("production").tags == {Tag.MODEL: "clinic/heart"}


def test_a_copy_that_is_made_twice_is_one_version(uri: str, client: MlflowClient) -> None:
    assert copied(uri) == copied(uri)


def test_a_dry_run_checks_the_bytes_and_writes_nothing(uri: str, client: MlflowClient) -> None:
    to = Target("heart", "rehearsed")
    assert copied(uri, to=to, dry=True) == ""
    with pytest.raises(Failure, match="MLflow has other bytes"):
        copied(uri, f"sha256:{'0' * 64}", to, dry=True)
    assert client.search_registered_models("name = 'rehearsed'") == []
    assert client.get_experiment_by_name("rehearsed") is None
    number = copied(uri)
    assert copied(uri, dry=True) == number


def test_a_training_that_makes_the_same_bytes_changes_no_number(uri: str, client: MlflowClient) -> None:
    """An equal spec and equal data give an equal version."""
    first = copied(uri)
    known = client.get_model_version("production", first)
    client.create_model_version("production", known.source, known.run_id, tags={Tag.ARTIFACT_SHA256: DIGEST})
    assert copied(uri) == first


def test_other_bytes_than_those_that_served_are_not_copied(uri: str, client: MlflowClient) -> None:
    """Whoever may write to MLflow cannot put other bytes under a proven number."""
    to = Target("heart", "untouched")
    with pytest.raises(Failure, match="MLflow has other bytes for clinic-staging/staging/1"):
        copied(uri, f"sha256:{'0' * 64}", to)
    assert client.search_model_versions("name = 'untouched'") == []


def test_what_is_not_there_is_said(uri: str, client: MlflowClient) -> None:
    staging = Workspace(uri, "clinic-staging", {})
    with pytest.raises(Failure, match=r"workspace clinic-staging: .*not found"):
        copy_version(staging, "staging", Proven("9", DIGEST), staging, PRODUCTION)
