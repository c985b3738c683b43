"""Where the files of a registered version are behind MLflow's artifact proxy.

https://mlflow.org/docs/latest/rest-api.html
"""

from urllib.parse import unquote, urlsplit

from heart_model.limits import ArtifactRejected

API = "/api/2.0"
PROXY = f"{API}/mlflow-artifacts/artifacts/"


def proxied_path(uri: str) -> str:
    """Path below the proxy of `mlflow-artifacts:/…` or of a URL of the proxy itself. Raises Rejected."""
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts":
        path = parts.path.lstrip("/")
    elif parts.scheme in ("http", "https") and PROXY in parts.path:
        path = parts.path.partition(PROXY)[2]
    else:
        scheme = parts.scheme or "file"
        raise ArtifactRejected(
            f"MLflow keeps this version at a {scheme}: address, which serving has no access to:"
            " run MLflow with --serve-artifacts and a default artifact root of mlflow-artifacts:/"
        )
    if not path or ".." in unquote(path).split("/"):
        raise ArtifactRejected("MLflow names an artifact path that serving does not follow")
    return path
