"""https and http through fsspec. A URI comes from a resource, so where it leads is checked, not trusted.

Every address that the host's name resolves to is checked at the moment of connecting: a name that answers with a public
address first and an internal one later gains nothing. Redirects are not followed.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlunsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from fsspec.implementations.http import HTTPFileSystem
from yarl import URL

from heart_api.handover import DataAccess
from heart_trainer.data.sources.limits import CHUNK, collect
from heart_trainer.errors import SourceError

TIMEOUT = aiohttp.ClientTimeout(total=600, connect=20, sock_read=60)
PASSING = {408, 425, 429}
NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
UNICAST = (ipaddress.IPv6Network("2000::/3"), NAT64[0])
"""All of IPv6 that the internet uses, and IPv4 behind a gateway: the rest is translated, tunnelled or local."""
METADATA = tuple(
    ipaddress.ip_network(network)
    for network in ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32")
)
HOST = re.compile(r"[A-Za-z0-9._:-]+(%[A-Za-z0-9._-]+)?")
"""A name or an address, as it is dialled."""
CLUSTER_SUFFIXES = (".svc", ".cluster.local", ".internal", ".local", ".localhost")


def read(address: SplitResult, access: DataAccess) -> bytes:
    """Return the bytes at a web address, within the bounds of size and time. Raises SourceError."""
    host = dialled_host(address)
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


def dialled_host(address: SplitResult) -> str:
    """Return the host as the client will dial it: `①②⑦.0.0.1` is 127.0.0.1. Raises SourceError."""
    host = address.hostname or ""
    try:
        dialled = URL(urlunsplit((address.scheme, address.netloc, "/", "", ""))).raw_host or ""
    except ValueError:
        dialled = ""
    if "\\" in host or not HOST.fullmatch(dialled):
        raise _no_host()
    return dialled.rstrip(".").lower()


def _no_host() -> SourceError:
    message = "dataset.uri: its host holds a character that no host has: write the host again."
    return SourceError("DatasetNotAllowed", message, permanent=True)


def check_host(host: str, access: DataAccess) -> bool:
    """Return True if an administrator named the host (any address will do). Raises SourceError when it is refused."""
    if not host.isprintable():
        raise _no_host()
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
    """Return False for loopback, link-local, private, shared, multicast and reserved ranges, mapped to IPv6 or not."""
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    if ip.version == 6 and not any(ip in network for network in UNICAST):
        return False
    inner = embedded(ip) if ip.version == 6 else None
    found = [one for one in (ip, inner) if one is not None]
    return all(one.is_global and not one.is_multicast for one in found) and not any(map(is_metadata, found))


def embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that packets to this one reach: mapped, 6to4, or behind a NAT64 gateway (RFC 6052, RFC
    8215); None if there is none.
    """
    if any(ip in network for network in NAT64):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def is_metadata(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether clouds hand out credentials at the address; some of these are public."""
    return any(ip.version == network.version and ip in network for network in METADATA)


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

    def check_peer(response: aiohttp.ClientResponse) -> None:
        """What was dialled is what was checked: no proxy, no other resolver came between."""
        connection = response.connection
        peer = connection.transport.get_extra_info("peername") if connection and connection.transport else None
        if not trusted and peer and not is_public(str(peer[0])):
            raise _BlockedAddress("internal address")

    system = HTTPFileSystem(get_client=client, skip_instance_cache=True)
    try:
        # A size saves the HEAD request, which would follow redirects; block_size 0 makes it one streaming GET.
        with system.open(url, "rb", block_size=0, size=1, allow_redirects=False) as file:
            check_peer(file.r)
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
