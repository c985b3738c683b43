"""Keys without a Secret of their own: derived from the namespace's row key, each for one purpose and one name.

A site proves who it is with its node key; its public half is registered with the coordinator. The coordinator proves
who it is with a certificate of an authority that is derived as well: it is the same, byte for byte, in every pod of the
model, so that a hospital can pin it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey
CURVE = ec.SECP384R1
SEED_BYTES = 64
FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
"""Of the authority, which is trusted because it is pinned, and has to be the same at every time."""
LEAF_DAYS = 30
CLOCKS_APART = timedelta(hours=1)


class BadKey(Exception):
    """What is wrong with a key, for people."""


def node_key(secret: str, namespace: str, name: str) -> Key:
    """The private key of a site; `secret`: the row key of its namespace."""
    return _derive(secret, "node", namespace, name)


def _derive(secret: str, *purpose: str) -> Key:
    info = "\0".join(("heartops-federation-1", *purpose)).encode()
    seed = HKDF(hashes.SHA512(), SEED_BYTES, None, info).derive(secret.encode())
    # 512 bits for a number of 384: no residue is likelier than another to any degree that matters.
    return ec.derive_private_key(int.from_bytes(seed) % (CURVE().group_order - 1) + 1, CURVE())


def new_key() -> bytes:
    """A key for a site without a namespace: a file in OpenSSH's format, which only its owner may read."""
    return ec.generate_private_key(CURVE()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def read_key(data: bytes) -> Key:
    """Raises BadKey."""
    try:
        found = load_ssh_private_key(data, None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey("it is no key in OpenSSH's format: make one with `python -m heart_trainer site key`") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise BadKey("it is not an ECDSA key: make one with `python -m heart_trainer site key`")
    return found


def public_text(key: Key) -> str:
    """One line in OpenSSH's format, for FederationSite.spec.publicKey."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def public_bytes(text: str) -> bytes:
    """As Flower registers it (PEM). Raises BadKey."""
    try:
        found = load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey("it is no public key in OpenSSH's format") from error
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise BadKey("it is not an ECDSA key")
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True)
class Authority:
    """A certificate authority for one model's coordinators."""

    key: Key
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def issue(self, hosts: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
        """(certificate, key) in PEM for a server under these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([_name(host) for host in hosts])
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "HeartOps coordinator")]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCKS_APART)
            .not_valid_after(now + timedelta(days=LEAF_DAYS))
            .add_extension(alternative, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA384())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return built.public_bytes(Encoding.PEM), private


def authority(secret: str, namespace: str, name: str) -> Authority:
    """Of a model's coordinators; `secret`: the row key of its namespace. Equal arguments give equal bytes."""
    key = _derive(secret, "authority", namespace, name)
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"HeartOps federation {namespace}/{name}"[:64])])
    built = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_signs_certificates(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA384(), ecdsa_deterministic=True)
    )
    return Authority(key, built)


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
