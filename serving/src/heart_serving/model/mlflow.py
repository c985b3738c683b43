"""MLflow's REST interface, as much of it as fetching one file needs.

https://mlflow.org/docs/latest/rest-api.html: where a version's files are, and the server's artifact proxy.
"""

import base64
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from heart_api.handover import Env, Tag
from heart_api.package import MODEL_FILE
from heart_model.artifact_path import API, PROXY, proxied_path
from heart_serving.errors import SettingsError
from heart_serving.model.download import Address, Unreachable, download, get

MAX_ANSWER = 64 * 1024
MAX_VERSION = 1024 * 1024
"""A version with all of its tags."""
WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"


@dataclass(frozen=True, slots=True)
class Registry:
    """Address and credentials of an MLflow server, and the registered version to fetch from it."""

    address: Address
    prefix: str
    headers: Mapping[str, str]
    name: str
    version: str

    @classmethod
    def of(cls, environ: Mapping[str, str], version: str) -> "Registry":
        """The registry that the environment names. Raises SettingsError for a missing or unusable variable."""
        uri, name = environ.get(Env.TRACKING_URI, ""), environ.get(Env.REGISTRY_NAME, "")
        if not uri or not name:
            raise SettingsError(f"set {Env.TRACKING_URI} and {Env.REGISTRY_NAME}: the operator gives them to every pod")
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"{Env.TRACKING_URI} must be the http(s) address of an MLflow server")
        secure = parts.scheme == "https"
        address = Address(parts.hostname, parts.port or (443 if secure else 80), secure)
        return cls(address, parts.path.rstrip("/"), credentials(environ), name, version)

    def fetch(self, file: Path, sha256: str) -> str:
        """Download the version's ONNX file and return its source. Raises Unreachable or ArtifactRejected."""
        path = self.prefix + PROXY + quote(self.artifact_path())
        download(self.address, path, file, sha256, self.headers)
        return f"MLflow at {self.address}"

    def signature(self) -> str:
        """The version's signature; empty if it has none. Raises Unreachable or ArtifactRejected."""
        query = urlencode({"name": self.name, "version": self.version})
        path = f"{self.prefix}{API}/mlflow/model-versions/get?{query}"
        with get(self.address, path, self.headers) as response:
            try:
                tags = json.loads(response.read(MAX_VERSION))["model_version"].get("tags") or []
                return next((str(tag["value"]) for tag in tags if tag["key"] == Tag.SIGNATURE), "")
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                raise Unreachable(f"{self.address} does not answer as MLflow does") from None

    def artifact_path(self) -> str:
        """Path of the version's ONNX file below MLflow's artifact proxy. Raises Unreachable."""
        query = urlencode({"name": self.name, "version": self.version})
        path = f"{self.prefix}{API}/mlflow/model-versions/get-download-uri?{query}"
        with get(self.address, path, self.headers) as response:
            try:
                uri = json.loads(response.read(MAX_ANSWER))["artifact_uri"]
            except (OSError, ValueError, LookupError, TypeError):
                raise Unreachable(f"{self.address} does not answer as MLflow does") from None
        return posixpath.join(proxied_path(str(uri)), MODEL_FILE)


def credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """The pod's own token and its workspace; else the Authorization header of MLflow's own variables.

    Raises SettingsError.
    """
    if path := environ.get(Env.REGISTRY_TOKEN_FILE):
        try:
            token = Path(path).read_text().strip()
        except OSError as error:
            raise SettingsError(f"{Env.REGISTRY_TOKEN_FILE}: {path} cannot be read ({error.strerror})") from None
        return {"Authorization": f"Bearer {token}", WORKSPACE_HEADER: environ.get(Env.WORKSPACE, "")}
    if given := environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {given}"}
    user, password = environ.get("MLFLOW_TRACKING_USERNAME"), environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    return {}
