"""The issuer's JSON Web Key Set, from its address."""

import http.client
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5.0
MAX_BYTES = 256 * 1024


def fetch_key_set(url: str) -> bytes:
    """The document at an https address; redirects are not followed. Raises OSError."""
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=TIMEOUT_SECONDS)
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
