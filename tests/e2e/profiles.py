"""Runtime profiles that the release is installed with beside `default`, and what they need."""

import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hack.cluster.cluster import read_state
from hack.cluster.paths import Cluster

SIGNED = "signed"
"""Versions need a signature of the platform."""
EXTERNAL = "external"
"""Models are in an MLflow of somebody else, which wants a user and a password."""
EXTERNAL_NAMESPACE, EXTERNAL_SECRET = "e2e-registry", "registry-login"
LOGIN = {"MLFLOW_TRACKING_USERNAME": "heartops", "MLFLOW_TRACKING_PASSWORD": "correct horse battery staple"}

ON_HOST = "on-host"
"""Datasets may come from servers of the tests, on the machine that the node runs on."""

PLATFORM_KEY = ec.derive_private_key(20_261_130, ec.SECP256R1())
"""The same in every worker and every run: it protects nothing."""


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def host_address() -> str | None:
    """Where pods reach this machine; None if the cluster is not the cluster tool's."""
    if not (name := os.environ.get("HEARTOPS_CLUSTER")):
        return None
    address = read_state(Cluster(name)).get("host")
    return str(address) if address else None


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
        ON_HOST: {"data": {"schemes": ["http", "dvc+http"], "hosts": [host_address() or "none.invalid"]}},
    }
