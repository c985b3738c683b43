"""Addresses as they may be shown: in logs, in MLflow, on the model card."""

import re

ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^/\s?#]*@)?(?P<rest>[^\s?#\"'<>]*)(?P<query>[?#][^\s\"'<>]*)?",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with every address less its user, password, query and fragment: a signed link is a key.

    The options of a built-in data set (`builtin://iris?rows=10`) are no secret, and stay.
    """
    return ADDRESS.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    query = found["query"] or ""
    kept = query if found["scheme"].lower() == "builtin" or not query else f"{query[0]}…"
    return f"{found['scheme']}://{found['rest']}{kept}"
