"""Runtime profiles that the release is installed with beside `default`, and what they need."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SIGNED = "signed"
"""Versions need a signature of the platform."""
EXTERNAL = "external"
"""Models are in an MLflow of somebody else, which wants a user and a password."""
EXTERNAL_NAMESPACE, EXTERNAL_SECRET = "e2e-registry", "registry-login"
LOGIN = {"MLFLOW_TRACKING_USERNAME": "heartops", "MLFLOW_TRACKING_PASSWORD": "correct horse battery staple"}

PLATFORM_KEY = ec.derive_private_key(20_261_130, ec.SECP256R1())
"""The same in every worker and every run: it protects nothing."""


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def profiles() -> dict[str, dict[str, Any]]:
    """By name, as in the chart's values."""
    public = PLATFORM_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        SIGNED: {"signing": {"publicKeys": [public.decode()]}},
        EXTERNAL: {
            "trackingUri": f"http://mlflow.{EXTERNAL_NAMESPACE}.svc:5000",
            "trackingAuth": "None",
            "trackingSecret": EXTERNAL_SECRET,
        },
    }
