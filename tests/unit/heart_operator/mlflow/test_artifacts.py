"""Where an evaluation may lie: only where the tracking server itself hands it out."""

import pytest

from heart_operator.mlflow.backend import PROXIED


@pytest.mark.parametrize(
    ("location", "read"),
    [
        ("mlflow-artifacts:/1/abc/artifacts", True),
        ("mlflow-artifacts://other.example/1/abc", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("file:///etc", False),
        ("/etc", False),
        ("s3://bucket/1/abc", False),
        ("", False),
    ],
)
def test_only_the_servers_own_artifacts_are_read(location: str, read: bool) -> None:
    assert bool(PROXIED.match(location)) is read
