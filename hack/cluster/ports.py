"""Ports for servers that are given one before they start."""

import random
import socket
from collections import deque

# The kernel lends ports from 32,768 on, by default, to connections and to sockets that ask for any: one of those
# may be taken between asking for it and listening on it. Kubernetes' node ports begin at 30,000.
PORTS = range(12_000, 30_000)

KEPT = 200  # a server listens long before so many more ports are given out
_claims: deque[socket.socket] = deque()


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nothing listens at the IPv4 address, and which no other process is given by this function.

    Raises:
        OSError: All ports are taken.
    """
    for port in random.sample(PORTS, len(PORTS)):
        # The kernel keeps one such name in a network namespace, for as long as its process lives.
        if not (claim := _bound(socket.AF_UNIX, f"\0heartops-port-{port}")):
            continue
        if probe := _bound(socket.AF_INET, (address, port)):
            probe.close()
            _keep(claim)
            return port
        claim.close()
    raise OSError(f"All ports from {PORTS.start} to {PORTS.stop - 1} are taken at {address}.")


def _keep(claim: socket.socket) -> None:
    _claims.append(claim)
    if len(_claims) > KEPT:
        _claims.popleft().close()


def _bound(family: socket.AddressFamily, address: str | tuple[str, int]) -> socket.socket | None:
    """None: another socket has it."""
    found = socket.socket(family)
    try:
        found.bind(address)
    except OSError:
        found.close()
        return None
    return found
