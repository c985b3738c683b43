"""Keys and passwords that an installation makes for itself, and the address of a namespace's prediction log."""

import secrets
import string

LETTERS = string.ascii_letters + string.digits
KEY_LENGTH = 48
PASSWORD_LENGTH = 32
LONGEST_NAMESPACE = 59
"""PostgreSQL's names have 63 bytes, and a namespace's schema starts with `log-`."""


def new_key() -> str:
    """For row hashes and seals, and for the proofs that /feedback demands."""
    return _random_text(KEY_LENGTH)


def new_password() -> str:
    """Needs no quoting in a URL."""
    return _random_text(PASSWORD_LENGTH)


def log_url(host: str, namespace: str, password: str) -> str:
    """The namespace's login of the prediction log; `host` is host:port of the chart's PostgreSQL."""
    return f"postgresql://ns-{namespace}:{password}@{host}/heartops"


def _random_text(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))
