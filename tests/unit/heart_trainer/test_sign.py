"""`python -m heart_trainer sign`: what a person names is what is signed."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from mlflow import MlflowClient

from heart_api.handover import Tag
from heart_model.signing import SignatureRejected, verify
from heart_trainer.__main__ import main
from heart_trainer.sign import PASSWORD

DIGEST = "ab" * 32
NAME = "clinic.small"


@pytest.fixture
def client(tracking_uri: str) -> MlflowClient:
    client = MlflowClient(tracking_uri, tracking_uri)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, "runs:/0/model")
    return client


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, bytes]:
    """File of a private key behind a password, and the public key."""
    private = ec.generate_private_key(ec.SECP384R1())
    path = tmp_path / "signing.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    monkeypatch.setenv(PASSWORD, "secret")
    return path, private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_signature_is_for_the_named_digest(
    client: MlflowClient, key: tuple[Path, bytes], manifest: Path, tracking_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sign", str(manifest), "--version", "1", "--key", str(key[0]), "--tracking-uri", tracking_uri]
    assert main([*words, "--digest", f"sha256:{DIGEST}"]) == 0
    signature = client.get_model_version(NAME, "1").tags[Tag.SIGNATURE]
    verify(signature, "clinic/small", DIGEST, key[1])
    with pytest.raises(SignatureRejected):
        verify(signature, "clinic/small", "cd" * 32, key[1])
    assert f"version 1 of {NAME}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("digest", "password", "says"), [("latest", "secret", "--digest"), (DIGEST, "wrong", "private key cannot be read")]
)
def test_what_cannot_be_signed_is_said(
    client: MlflowClient,
    key: tuple[Path, bytes],
    manifest: Path,
    tracking_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    digest: str,
    password: str,
    says: str,
) -> None:
    monkeypatch.setenv(PASSWORD, password)
    words = ["sign", str(manifest), "--version", "1", "--key", str(key[0]), "--tracking-uri", tracking_uri]
    assert main([*words, "--digest", digest]) == 2
    assert says in capsys.readouterr().err
    assert Tag.SIGNATURE not in client.get_model_version(NAME, "1").tags
