"""JSON Web Tokens of one issuer, by public keys alone."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

import jwt

from heart_api.authentication import SCOPES, Jwt
from heart_serving.auth.denied import bad_credential
from heart_serving.auth.keys import Caller

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that a public key verifies: with them no key of the set can be used to forge one."""
KEY_TYPES = ("RSA", "EC", "OKP")
MAX_KEYS = 100
LONGEST_TOKEN = 8192
LONGEST_SUBJECT = 256
REMEMBERED = 1024
"""Tokens whose signature was found valid and need not be checked again."""
TOKEN_CALLER = "jwt"  # noqa: S105  a label
"""What metrics call a caller with a token: subjects are many, and may be people."""


class Tokens:
    """Finds the caller of a token. Used on the event loop alone."""

    def __init__(self, rules: Jwt, keys: Mapping[str, jwt.PyJWK]) -> None:
        self._rules = rules
        self._keys = keys
        self._secret = os.urandom(32)
        self._valid: dict[bytes, tuple[float, Caller]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, credential: bytes) -> Caller | None:
        """Raises Denied for a token that has expired."""
        if len(credential) > LONGEST_TOKEN:
            return None
        tag = hashlib.blake2b(credential, digest_size=16, key=self._secret).digest()
        if (known := self._valid.get(tag)) is not None:
            if known[0] + self._rules.clock_skew_seconds > time.time():
                return known[1]
            del self._valid[tag]
        try:
            claims = self._verify(credential)
            expires = float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise bad_credential("expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            return None
        subject = f"{TOKEN_CALLER}:{claims.get('sub', '')}"[:LONGEST_SUBJECT]
        if not subject.isprintable():
            return None  # it becomes an author in the prediction log, which stores no NUL
        caller = Caller(TOKEN_CALLER, scopes_of(claims, self._rules.scope_prefix), credential, subject)
        self._remember(tag, expires, caller)
        return caller

    def _verify(self, token: bytes) -> dict[str, Any]:
        found: dict[str, Any] = jwt.decode(
            token,
            self._key_of(token),
            algorithms=ALGORITHMS,
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            leeway=self._rules.clock_skew_seconds,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )
        return found

    def _key_of(self, token: bytes) -> jwt.PyJWK:
        """The key that the token names, or the only one there is."""
        name = jwt.get_unverified_header(token).get("kid")
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if not isinstance(name, str) or name not in self._keys:
            raise jwt.InvalidKeyError("the token names no known key")
        return self._keys[name]

    def _remember(self, tag: bytes, expires: float, caller: Caller) -> None:
        if len(self._valid) >= REMEMBERED:
            self._valid.clear()
        self._valid[tag] = expires, caller


def scopes_of(claims: Mapping[str, Any], prefix: str) -> frozenset[str]:
    """`scope` as RFC 8693 has it, or `scp`; either may be a list."""
    found = claims.get("scope", claims.get("scp", ""))
    names = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(scope for scope in SCOPES if f"{prefix}{scope}" in names)


def read_key_set(document: bytes) -> dict[str, jwt.PyJWK]:
    """The keys that may verify a signature, by their `kid`. Raises ValueError."""
    try:
        found = json.loads(document)
        entries = found["keys"]
        usable = [entry for entry in entries if entry.get("kty") in KEY_TYPES and entry.get("use", "sig") == "sig"]
        keys = {str(entry.get("kid", position)): jwt.PyJWK(entry) for position, entry in enumerate(usable[:MAX_KEYS])}
    except (jwt.PyJWTError, TypeError, KeyError, AttributeError, RecursionError, ValueError):
        raise ValueError("it is no JSON Web Key Set of public keys") from None
    if not keys:
        raise ValueError("its JSON Web Key Set has no public key for signatures")
    return keys
