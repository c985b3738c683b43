"""What several files of tests read from."""

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket of an object store that speaks S3, as the environment of a pod names one."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()  # its buckets are the process's
    S3FileSystem.clear_instance_cache()
    found = boto3.resource("s3").create_bucket(
        Bucket="clinic", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    yield found
    server.stop()
    S3FileSystem.clear_instance_cache()
