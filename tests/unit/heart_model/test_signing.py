"""Signatures of model files: who signed what, and what is no signature at all."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from heart_model.signing import BadKey, SignatureRejected, sign, subject, verify

NAME = subject("clinic", "heart")
DIGEST, OTHER = "ab" * 32, "cd" * 32
CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


def pair(curve: ec.EllipticCurve = CURVES[0]) -> tuple[bytes, bytes]:
    """Private and public key as PEM."""
    key = ec.generate_private_key(curve)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_what_was_signed_is_accepted(curve: ec.EllipticCurve) -> None:
    private, public = pair(curve)
    verify(sign(NAME, DIGEST, private), NAME, DIGEST, public)


def test_during_a_rotation_two_keys_are_accepted() -> None:
    (old, old_public), (new, new_public) = pair(), pair(CURVES[1])
    for private in (old, new):
        verify(sign(NAME, DIGEST, private), NAME, DIGEST, old_public + new_public)


def test_another_keys_signature_is_rejected() -> None:
    with pytest.raises(SignatureRejected, match="none of the keys"):
        verify(sign(NAME, DIGEST, pair()[0]), NAME, DIGEST, pair()[1])


def test_the_signature_of_other_bytes_is_rejected() -> None:
    private, public = pair()
    with pytest.raises(SignatureRejected, match="digests differ"):
        verify(sign(NAME, OTHER, private), NAME, DIGEST, public)


@pytest.mark.parametrize("name", ["ward/heart", "clinic/lungs", "heart", "clinic/heart ", "Clinic/heart", ""])
def test_the_signature_for_another_model_is_rejected(name: str) -> None:
    """Who may write to a registry would otherwise let one model serve what was approved for another."""
    private, public = pair()
    with pytest.raises(SignatureRejected, match="another HeartModel than clinic/heart"):
        verify(sign(name, DIGEST, private), NAME, DIGEST, public)


def test_a_changed_statement_is_rejected() -> None:
    private, public = pair()
    bundle = json.loads(sign(NAME, OTHER, private))
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(OTHER.encode(), DIGEST.encode())
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(SignatureRejected, match="none of the keys"):
        verify(json.dumps(bundle), NAME, DIGEST, public)


@pytest.mark.parametrize("bundle", ["", "{}", "[]", '{"dsseEnvelope": {"payload": "!", "signatures": [{}]}}', "null"])
def test_what_is_no_signature_is_rejected(bundle: str) -> None:
    with pytest.raises(SignatureRejected, match="not a Sigstore bundle"):
        verify(bundle, NAME, DIGEST, pair()[1])


def test_keys_that_cannot_be_used_are_named() -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(BadKey, match="P-256"):
        verify("{}", NAME, DIGEST, public)
    with pytest.raises(BadKey, match="P-256"):
        sign(NAME, DIGEST, private)
    with pytest.raises(BadKey, match="no public key"):
        verify("{}", NAME, DIGEST, b"")
