"""Which versions `kubectl heart copy` takes for proven: what the operator wrote into the status decides."""

import pytest

from heart_cli.copying.copy import Proven, find_proven
from heart_cli.copying.workspace import proxied
from heart_cli.errors import Failure
from tests.support.apiserver.heart_objects import rejected, served, serving
from tests.unit.heart_cli.cases import healthy, nothing_serves


def test_the_version_that_serves_and_those_that_have_served_are_proven() -> None:
    model = healthy().model
    digest = serving()["digest"]
    assert find_proven(model, "") == Proven("6", digest)
    assert find_proven(model, "5") == Proven("5", served("5", "2026-11-10T08:00:00Z")["digest"])


@pytest.mark.parametrize(
    ("version", "message"), [("7", "version 7 has not served in namespace"), ("5", "version 5 was rejected: Aborted")]
)
def test_a_version_that_never_served_or_was_rejected_is_not_proven(version: str, message: str) -> None:
    model = healthy().model
    entry = type(model.status).model_validate({"rejected": [rejected("5", "Aborted", "by alice")]}).rejected
    model = model.model_copy(update={"status": model.status.model_copy(update={"rejected": entry})})
    with pytest.raises(Failure, match=message):
        find_proven(model, version)


def test_a_model_that_serves_nothing_has_proven_nothing() -> None:
    with pytest.raises(Failure, match="serves no version yet"):
        find_proven(nothing_serves().model, "")


@pytest.mark.parametrize(
    "uri", ["s3://bucket/model", "file:///etc", "mlflow-artifacts:/a/../b", "mlflow-artifacts:/a/%2e%2e/b"]
)
def test_files_that_mlflow_does_not_serve_itself_are_not_followed(uri: str) -> None:
    with pytest.raises(Failure, match="mlflow-artifacts:"):
        proxied(uri)


def test_a_folder_behind_the_proxy() -> None:
    assert proxied("mlflow-artifacts:/1/abc/artifacts") == "1/abc/artifacts"
