"""Who may call a model: scopes, `spec.serving.auth`, and how API keys are stored.

The Secret `<model>-api-keys` holds one entry for each caller. Its value has a line for each key that is valid, the
newest last: `sha256:<hex of the key's SHA-256> predict explain`. Keys are 256 random bits, so that a plain hash is
enough: nobody can guess them, and a slow hash would only slow down the server.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Literal, NamedTuple

from pydantic import Field

from heart_api.base import Frozen, FrozenLenient

Scope = Literal["predict", "explain", "feedback"]
SCOPES: tuple[Scope, ...] = ("predict", "explain", "feedback")
Auth = Literal["None", "APIKey", "JWT"]

AUTH_FILE = "auth.json"
"""Key of the ConfigMap `<model>-auth`, and the file's name where it is mounted: AuthConfig as JSON."""
JWKS_FILE = "jwks.json"
"""Key of the ConfigMap `<model>-jwks`: a JSON Web Key Set."""
CA_FILE = "ca.crt"
"""Key of the same ConfigMap: certificate authorities (PEM) that verify `jwksUrl`, in place of the image's."""
KEY_HEADER = "X-API-Key"
"""Carries a key or a token where something on the way, such as the API server's proxy, consumes Authorization."""
KEY_PREFIX = "heart_"
CALLER_PATTERN = r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?"
"""Name of a caller: a key of the Secret, and a label's value in metrics."""
MAX_KEYS = 2
"""Valid keys of one caller at a time: the one in use, and the one that replaces it."""

_LINE = re.compile(r"sha256:([0-9a-f]{64})((?: (?:predict|explain|feedback))+)")


class Jwt(Frozen):
    """JSON Web Tokens that are accepted."""

    issuer: str = Field(min_length=1, max_length=512, description="Value that the `iss` claim of a token must have.")
    audience: str = Field(
        min_length=1, max_length=512, description="Value that the `aud` claim of a token must have or contain."
    )
    jwks_url: str | None = Field(
        None,
        pattern=r"^https://[^\s#]+$",
        max_length=1024,
        description="Address of the issuer's JSON Web Key Set, verified by the certificate authorities in the key"
        " `ca.crt` of the ConfigMap `<model>-jwks`, else by the image's. Without an address, the key `jwks.json` of"
        " that ConfigMap is the key set.",
    )
    clock_skew_seconds: int = Field(
        30, ge=0, le=300, description="Tolerated difference of the clocks when `exp` and `nbf` are checked."
    )
    scope_prefix: str = Field(
        "",
        pattern=r"^[\x21\x23-\x5b\x5d-\x7e]*$",
        max_length=253,
        description="What precedes `predict`, `explain` and `feedback` in the claim `scope` or `scp`.",
    )


class AuthConfig(FrozenLenient):
    """AUTH_FILE, which every serving pod mounts and follows while it runs."""

    type: Auth = "None"
    jwt: Jwt | None = None


class StoredKey(NamedTuple):
    """One valid key of a caller; `sha256` is the hex digest of the key."""

    sha256: str
    scopes: frozenset[str]

    def line(self) -> str:
        return " ".join([f"sha256:{self.sha256}", *(scope for scope in SCOPES if scope in self.scopes)])


def new_api_key() -> str:
    """A key for a caller; its prefix lets scanners of source code recognize it."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hashed(key: str, scopes: Iterable[str]) -> StoredKey:
    return StoredKey(hashlib.sha256(key.encode()).hexdigest(), frozenset(scopes))


def write_keys(keys: Iterable[StoredKey]) -> str:
    """The value of a caller's entry in the Secret."""
    return "".join(f"{key.line()}\n" for key in keys)


def read_keys(text: str) -> tuple[StoredKey, ...]:
    """The valid keys of an entry, the newest last; raises ValueError, which repeats nothing of the text."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"line {number} is not `sha256:<64 hex digits>` and scopes ({', '.join(SCOPES)})")
        found.append(StoredKey(match[1], frozenset(match[2].split())))
    if len(found) > MAX_KEYS:
        raise ValueError(f"a caller has at most {MAX_KEYS} keys")
    return tuple(found)
