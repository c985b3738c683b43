"""The issuer's JSON Web Key Set, from its address."""

import http.client
import ssl
from urllib.parse import urlsplit

from heart_api.authentication import CA_FILE

TIMEOUT_SECONDS = 5.0
MAX_BYTES = 256 * 1024


def fetch_key_set(url: str, authorities: bytes = b"") -> bytes:
    """The document at an https address; redirects are not followed.

    `authorities`: PEM certificates that alone may vouch for the server; empty: those of the image. Raises OSError, also
    for authorities that are no certificates.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=TIMEOUT_SECONDS, context=_trust(authorities)
    )
    try:
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
        response = connection.getresponse()
        if response.status != 200:
            raise OSError(0, f"its server answers {response.status}")
        document = response.read(MAX_BYTES + 1)
    except http.client.HTTPException as error:
        raise OSError(0, f"its server does not speak HTTP ({type(error).__name__})") from None
    finally:
        connection.close()
    if len(document) > MAX_BYTES:
        raise OSError(0, f"it has more than {MAX_BYTES} bytes")
    return document


def _trust(authorities: bytes) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=authorities.decode("ascii") if authorities else None)
    except (ssl.SSLError, ValueError):
        raise OSError(0, f"{CA_FILE} in its ConfigMap holds no certificates in PEM") from None
