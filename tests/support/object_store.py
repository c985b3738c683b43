"""A server of buckets on loopback that checks signatures and keeps objects as files (versitygw)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx

from hack.cluster.ports import free_port
from tests.support.apiserver.client import poll

REGION = "eu-west-1"


@dataclass(frozen=True)
class ObjectStore:
    url: str
    user: str = "clinic"
    secret: str = "the clinic's own secret"

    @property
    def environ(self) -> dict[str, str]:
        """What a pod has from its Secret."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.user,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
        }

    def bucket(self, name: str) -> Any:
        """A new bucket."""
        login = {"aws_access_key_id": self.user, "aws_secret_access_key": self.secret, "region_name": REGION}
        return boto3.resource("s3", endpoint_url=self.url, **login).create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def is_up(self) -> bool:
        try:
            return httpx.get(self.url, timeout=5).status_code == 403
        except httpx.HTTPError:
            return False


@contextmanager
def running(binary: Path, folder: Path) -> Iterator[ObjectStore]:
    """`binary`: what `hack.cluster build --object-store` made. Needs nothing but an empty folder."""
    address = f"127.0.0.1:{free_port()}"
    store = ObjectStore(f"http://{address}")
    objects, metadata, log = folder / "objects", folder / "metadata", folder / "versitygw.log"
    for each in (objects, metadata):
        each.mkdir()
    # Metadata in files of their own: not every file system has extended attributes.
    command = [str(binary), "--port", address, "--region", REGION, "posix", "--sidecar", str(metadata), str(objects)]
    environ = {"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY_ID": store.user, "ROOT_SECRET_ACCESS_KEY": store.secret}
    with log.open("wb") as output, subprocess.Popen(command, env=environ, stdout=output, stderr=output) as process:
        try:
            poll(f"versitygw answers ({log} says why not)", store.is_up, 30)
            yield store
        finally:
            process.terminate()
