"""https and http through fsspec. A URI comes from a resource, so where it leads is checked, not trusted.

Every address that the host's name resolves to is checked at the moment of connecting: a name that answers with a public
address first and an internal one later gains nothing. Redirects are not followed.
"""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlunsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from fsspec.implementations.http import HTTPFileSystem

from heart_api.handover import DataAccess
from heart_trainer.data.sources.limits import CHUNK, collect
from heart_trainer.errors import SourceError

TIMEOUT = aiohttp.ClientTimeout(total=600, connect=20, sock_read=60)
PASSING = {408, 425, 429}
CLUSTER_SUFFIXES = (".svc", ".cluster.local", ".internal", ".local", ".localhost")


def read(address: SplitResult, access: DataAccess) -> bytes:
    host = (address.hostname or "").rstrip(".").lower()
    trusted = check_host(host, access)
    where = f"{address.scheme}://{host}{address.path}"  # a query may hold a signature
    url = urlunsplit((address.scheme, address.netloc, address.path, address.query, ""))
    try:
        return collect(_chunks(url, where, trusted), where)
    except SourceError:
        raise
    except _BlockedAddress as error:
        raise _not_allowed(host, "resolves to an internal address") from error
    except aiohttp.ClientConnectorCertificateError as error:
        message = (
            f"{where} shows a certificate of an unknown authority ({error.certificate_error}). Where its authority"
            " is your own, name its file in SSL_CERT_FILE, in the Secret that the pods read."
        )
        raise SourceError("DatasetUnreachable", message, permanent=True) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        if isinstance(error.__cause__, _BlockedAddress):
            raise _not_allowed(host, "resolves to an internal address") from error
        message = f"{where} could not be reached ({type(error).__name__}); it is tried again."
        raise SourceError("DatasetUnreachable", message, permanent=False) from error


def check_host(host: str, access: DataAccess) -> bool:
    """True when an administrator named the host (any address will do); raises SourceError when it is refused."""
    if not host.isprintable():
        message = "dataset.uri: its host holds a character that no host has: write the host again."
        raise SourceError("DatasetNotAllowed", message, permanent=True)
    if any(_matches(host, pattern.lower()) for pattern in access.hosts):
        return True
    if access.hosts:
        raise _not_allowed(host, f"is not among the hosts {', '.join(access.hosts)}")
    literal = _as_address(host)
    # A name without a dot, or below a cluster's suffix, is nobody's on the internet.
    internal = not literal and ("." not in host or host.endswith(CLUSTER_SUFFIXES))
    if internal or (literal and not is_public(literal)):
        raise _not_allowed(host, "is an internal address")
    return False


def is_public(address: str) -> bool:
    """False for loopback, link-local, private, shared, multicast and reserved ranges, mapped to IPv6 or not."""
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    inner = (getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)) if ip.version == 6 else None
    return all(one.is_global and not one.is_multicast for one in (ip, inner) if one is not None)


class _BlockedAddress(OSError):
    pass


class _PublicResolver(AbstractResolver):
    """Answers with public addresses only."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise _BlockedAddress("internal address")
        return found

    async def close(self) -> None:
        await self._inner.close()


def _chunks(url: str, where: str, trusted: bool) -> Iterator[bytes]:
    async def client(**options: Any) -> aiohttp.ClientSession:
        resolver = None if trusted else _PublicResolver()
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver), timeout=TIMEOUT)

    system = HTTPFileSystem(get_client=client, skip_instance_cache=True)
    try:
        # A size saves the HEAD request, which would follow redirects; block_size 0 makes it one streaming GET.
        with system.open(url, "rb", block_size=0, size=1, allow_redirects=False) as file:
            _check_status(file.r.status, where)
            while chunk := file.read(CHUNK):
                yield chunk
    except FileNotFoundError as error:
        raise _bad_status(404, where) from error
    except aiohttp.ClientResponseError as error:
        raise _bad_status(error.status, where) from error


def _check_status(status: int, where: str) -> None:
    if status != 200:
        raise _bad_status(status, where)


def _bad_status(status: int, where: str) -> SourceError:
    if 300 <= status < 400:
        message = (
            f"{where} answers with a redirect ({status}); none is followed: name the final address in dataset.uri."
        )
        return SourceError("DatasetNotAllowed", message, permanent=True)
    passing = status >= 500 or status in PASSING
    then = "it is tried again." if passing else "check dataset.uri."
    return SourceError("DatasetUnreachable", f"{where} answers with status {status}; {then}", permanent=not passing)


def _not_allowed(host: str, why: str) -> SourceError:
    message = f"dataset.uri: {host} {why}. An administrator can allow it in the runtime profile (data.hosts)."
    return SourceError("DatasetNotAllowed", message, permanent=True)


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _as_address(host: str) -> str | None:
    """The literal address in a host, also in the old spellings that a resolver takes (`127.1`, `0x7f000001`)."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return None
