"""How a pod with TLS knows the candidate's pods: their certificate is for the same name as its own.

No certificate has to name the candidate's Service, and both pods may follow a renewal at their own pace.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Peer:
    """What aiohttp is given. `context` False: the certificate is not verified."""

    context: ssl.SSLContext | bool = False
    name: str | None = None


UNKNOWN = Peer()
"""Of a pod without TLS: what it copies came to it in the clear."""


def know_peer(folder: Path | None) -> Peer:
    """By the mounted Secret: its authority (`ca.crt`), or the chain of the certificate itself."""
    if folder is None:
        return UNKNOWN
    authority = folder / "ca.crt"
    context = ssl.create_default_context(cafile=authority if authority.exists() else folder / "tls.crt")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return Peer(context, own_name((folder / "tls.crt").read_bytes()))


def renewed(known: Peer, folder: Path | None) -> Peer:
    """After a certificate was not believed: both pods' may have been renewed, by an authority that has changed with it.

    What was known stays where the files cannot be read.
    """
    try:
        return know_peer(folder)
    except (OSError, ValueError):
        return known


def own_name(chain: bytes) -> str:
    """The first DNS name of a certificate; of a wildcard one that it matches. Raises ValueError."""
    from cryptography import x509  # noqa: PLC0415  a pod without TLS does not load it, and its memory counts
    from cryptography.x509.oid import ExtensionOID  # noqa: PLC0415

    certificate = x509.load_pem_x509_certificate(chain)
    try:
        names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        return str(names.get_values_for_type(x509.DNSName)[0]).replace("*", "mirror", 1)  # type: ignore[attr-defined]
    except (x509.ExtensionNotFound, IndexError):
        raise ValueError("the certificate has no DNS name") from None
