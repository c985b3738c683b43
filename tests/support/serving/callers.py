"""Callers of a model in tests: mounted files that say who may call, keys, tokens and certificates."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from heart_api.authentication import AUTH_FILE, JWKS_FILE, AuthConfig, Jwt, hashed, write_keys
from heart_serving.auth.settings import AuthSettings

KEY = "heart_a-key-that-the-tests-use-for-the-clinic-00000"
ISSUER, AUDIENCE = "https://issuer.example", "heart"
SIGNER = rsa.generate_private_key(65537, 2048)
"""The issuer's."""
PUBLIC_PEM = SIGNER.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def key_set(signer: rsa.RSAPrivateKey = SIGNER, kid: str = "one") -> str:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signer.public_key()))
    return json.dumps({"keys": [{**key, "kid": kid, "use": "sig", "alg": "RS256"}]})


class Mounted:
    """The files of one pod; every method changes them as a kubelet would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "callers"
        self.settings = AuthSettings(self._folder / AUTH_FILE, self._folder / "keys", self._folder / JWKS_FILE)
        self.settings.keys.mkdir(parents=True)
        self.require("None")

    def require(self, kind: Any, rules: Jwt | None = None) -> None:
        self._replace(self.settings.file, json.dumps(AuthConfig(type=kind, jwt=rules).dump()))

    def allow(self, caller: str, *keys: str, scopes: Sequence[str] = ("predict",)) -> None:
        """These keys of the caller and no others."""
        self._replace(self.settings.keys / caller, write_keys(hashed(key, scopes) for key in keys))

    def revoke(self, caller: str) -> None:
        (self.settings.keys / caller).unlink()

    def trust(self, authorities: str) -> None:
        """These certificates vouch for the address of the issuer's keys."""
        self._replace(self.settings.authorities, authorities)

    def publish(self, keys: str) -> None:
        self._replace(self.settings.jwks, keys)

    def _replace(self, file: Path, text: str) -> None:
        fresh = file.with_name(f"..{file.name}")
        fresh.write_text(text)
        fresh.rename(file)


def with_key(folder: Path, key: str = KEY, caller: str = "clinic") -> AuthSettings:
    """Files of a model that one caller may ask for predictions."""
    mounted = Mounted(folder)
    mounted.allow(caller, key)
    mounted.require("APIKey")
    return mounted.settings


def with_tokens(folder: Path, **rules: Any) -> AuthSettings:
    """Files of a model that takes tokens of ISSUER."""
    mounted = Mounted(folder)
    mounted.publish(key_set())
    mounted.require("JWT", Jwt(issuer=ISSUER, audience=AUDIENCE, **rules))
    return mounted.settings


def token(claims: Mapping[str, Any] = {}, *, signer: Any = SIGNER, algorithm: str = "RS256", **header: Any) -> str:
    """Valid for an hour and for predictions, unless `claims` say otherwise; None removes a claim."""
    now = int(time.time())
    default = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ward", "exp": now + 3600, "scope": "openid predict"}
    found = {name: value for name, value in {**default, **claims}.items() if value is not None}
    return jwt.encode(found, signer, algorithm, headers={"kid": "one", **header})


def certificate(folder: Path, authority: trustme.CA, *names: str) -> Path:
    """`tls.crt`, `tls.key` and `ca.crt` as cert-manager mounts them."""
    folder.mkdir(exist_ok=True)
    issued = authority.issue_cert(*(names or ("heart.example",)))
    (folder / "tls.key").write_bytes(issued.private_key_pem.bytes())
    (folder / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    return folder
