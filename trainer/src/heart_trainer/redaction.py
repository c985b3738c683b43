"""Addresses as they may be shown: in logs, in MLflow, on the model card."""

import re

from heart_api.federation import FederatedTrainingRequest
from heart_api.handover import JobRequest, ModelRequest

ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^/\s?#]*@)?(?P<rest>[^\s?#\"'<>]*)(?P<query>[?#][^\s\"'<>]*)?",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with every address less its user, password, query and fragment: a signed link is a key.

    The options of a built-in data set (`builtin://iris?rows=10`) are no secret, and stay.
    """
    return ADDRESS.sub(_shown, text)


def source_of(request: ModelRequest) -> str:
    """Where a training's rows are, as it may be shown: the dataset's address, or the sites that hold them."""
    if isinstance(request, FederatedTrainingRequest):
        return f"federation of {', '.join(f'{site.namespace}/{site.name}' for site in request.sites)}"
    return redact(request.dataset.uri) if isinstance(request, JobRequest) else ""


def _shown(found: re.Match[str]) -> str:
    query = found["query"] or ""
    kept = query if found["scheme"].lower() == "builtin" or not query else f"{query[0]}…"
    return f"{found['scheme']}://{found['rest']}{kept}"
