"""Signatures of model files in the form of OpenSSF Model Signing 1.0, with elliptic-curve keys.

A signature is a Sigstore bundle (JSON) around a DSSE envelope; its payload is an in-toto statement that lists files
with their SHA-256, and names the HeartModel that they are for. `model_signing verify key` reads what is written here.
https://github.com/ossf/model-signing-spec
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from heart_api.package import MODEL_FILE

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
MAX_SIGNATURE = 64 * 1024
PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
HASHES: dict[int, type[HashAlgorithm]] = {256: SHA256, 384: SHA384, 521: SHA512}
"""Bits of the curve (P-256, P-384, P-521) → hash of the signature."""


class SignatureRejected(Exception):
    """The file is not what one of the keys signed; the message says why."""


class BadKey(Exception):
    """A key that cannot be used; the message says why."""


def sign(name: str, sha256: str, private_key: bytes, password: bytes | None = None) -> str:
    """The bundle for a model file. `name`: see `subject`; `sha256`: hex. Raises BadKey."""
    key = read_private_key(private_key, password)
    payload = json.dumps(statement(name, sha256)).encode()
    signature = key.sign(envelope_bytes(payload), ECDSA(hash_of(key)))
    return json.dumps(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": key_hint(key.public_key())}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": encoded(payload),
                "payloadType": PAYLOAD,
                "signatures": [{"sig": encoded(signature), "keyid": ""}],
            },
        }
    )


def subject(namespace: str, model: str) -> str:
    """What a signature calls the HeartModel that may serve the file."""
    return f"{namespace}/{model}"


def verify(bundle: str, name: str, sha256: str, public_keys: bytes) -> None:
    """Check that one of the keys (PEM, one after the other) signed a file model.onnx with this digest (hex), for the
    HeartModel of this name (`subject`).

    Raises SignatureRejected, or BadKey.
    """
    keys = read_public_keys(public_keys)
    try:
        found = json.loads(bundle)
        envelope = found["dsseEnvelope"]
        payload, (signature,) = decoded(envelope["payload"]), envelope["signatures"]
        sealed = decoded(signature["sig"])
        kinds = found["mediaType"], envelope["payloadType"]
    except (ValueError, LookupError, TypeError):
        raise SignatureRejected("its signature is not a Sigstore bundle with one signature") from None
    if kinds != (BUNDLE, PAYLOAD):
        raise SignatureRejected(f"its signature is of another kind than {BUNDLE} around {PAYLOAD}")
    if not any(is_signed(key, sealed, payload) for key in keys):
        raise SignatureRejected("its signature is of none of the keys in the runtime profile (signing.publicKeys)")
    signed = read_statement(payload)
    if signed.sha256 != sha256:
        raise SignatureRejected(f"its signature is for another {MODEL_FILE} (digests differ)")
    if signed.name != name:
        raise SignatureRejected(f"its signature is for another HeartModel than {name}: sign it for this one")


def statement(name: str, sha256: str) -> dict[str, Any]:
    """What is signed: one file, named as in the version's own folder."""
    root = hashlib.sha256(bytes.fromhex(sha256)).hexdigest()
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
            "resources": [{"name": MODEL_FILE, "algorithm": "sha256", "digest": sha256}],
        },
    }


class Signed(NamedTuple):
    """What a statement says: `name` of a HeartModel, and the digest of its model.onnx."""

    name: str
    sha256: str


def read_statement(payload: bytes) -> Signed:
    """Raises SignatureRejected."""
    try:
        found: Mapping[str, Any] = json.loads(payload)
        kinds = found["_type"], found["predicateType"]
        (about,) = found["subject"]
        name = about["name"]
        resources: Iterable[Mapping[str, str]] = found["predicate"]["resources"]
        digests = [
            entry["digest"] for entry in resources if (entry["name"], entry["algorithm"]) == (MODEL_FILE, "sha256")
        ]
    except (ValueError, LookupError, TypeError):
        raise SignatureRejected("its signature holds no statement about files") from None
    if kinds != (STATEMENT, PREDICATE) or len(digests) != 1:
        raise SignatureRejected(f"its signature is not a model signature (version 1.0) of one {MODEL_FILE}")
    return Signed(name, digests[0])


def is_signed(key: EllipticCurvePublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, envelope_bytes(payload), ECDSA(hash_of(key)))
    except InvalidSignature:
        return False
    return True


def envelope_bytes(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what the signature is computed over."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def read_private_key(pem: bytes, password: bytes | None = None) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(f"the private key cannot be read: {error}") from None
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.key_size not in HASHES:
        raise BadKey("the private key is not of P-256, P-384 or P-521: make one with `openssl ecparam -genkey`")
    return key


def read_public_keys(pem: bytes) -> list[EllipticCurvePublicKey]:
    found = list[EllipticCurvePublicKey]()
    for block in PEM.findall(pem):
        try:
            key = load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BadKey(f"a public key cannot be read: {error}") from None
        if not isinstance(key, EllipticCurvePublicKey) or key.curve.key_size not in HASHES:
            raise BadKey("a public key is not of P-256, P-384 or P-521")
        found.append(key)
    if not found:
        raise BadKey("there is no public key (PEM)")
    return found


def hash_of(key: EllipticCurvePrivateKey | EllipticCurvePublicKey) -> HashAlgorithm:
    return HASHES[key.curve.key_size]()


def key_hint(key: EllipticCurvePublicKey) -> str:
    """Which key it was, for verifiers that have several."""
    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
