"""A cluster's network: one namespace, one veth pair, one /16 that the host routes into it."""

import ipaddress
import json
from dataclasses import dataclass

from hack.cluster.paths import Cluster
from hack.cluster.report import Problem
from hack.cluster.shell import run, succeeds

FIRST, COUNT = 240, 8


@dataclass(frozen=True)
class Addresses:
    """The plan of 10.<second>.0.0/16."""

    second: int

    @property
    def subnet(self) -> str:
        return f"10.{self.second}.0.0/16"

    @property
    def host(self) -> str:
        """The host's end of the veth pair: where pods reach servers on the host."""
        return f"10.{self.second}.0.1"

    @property
    def node(self) -> str:
        return f"10.{self.second}.0.2"

    @property
    def pods(self) -> str:
        return f"10.{self.second}.1.0/24"

    @property
    def services(self) -> str:
        return f"10.{self.second}.16.0/20"

    @property
    def api_service(self) -> str:
        return f"10.{self.second}.16.1"

    @property
    def dns(self) -> str:
        return f"10.{self.second}.16.10"


def free_addresses() -> Addresses:
    """The first subnet that no route of this machine touches."""
    routes = [route["dst"] for route in json.loads(run("ip", "-j", "-4", "route", "show", "table", "all"))]
    taken = [ipaddress.ip_network(dst, strict=False) for dst in routes if dst != "default"]
    for second in range(FIRST, FIRST + COUNT):
        candidate = Addresses(second)
        if not any(ipaddress.ip_network(candidate.subnet).overlaps(network) for network in taken):
            return candidate
    raise Problem(
        f"All subnets 10.{FIRST}.0.0/16 to 10.{FIRST + COUNT - 1}.0.0/16 are routed already: "
        "take a cluster down or remove one of these routes."
    )


def interface(cluster: Cluster) -> str:
    """The host's end of the veth pair."""
    return f"hv-{cluster.name}"


def inside(cluster: Cluster) -> tuple[object, ...]:
    """The prefix that runs a command in the cluster's network namespace."""
    return ("nsenter", f"--net={cluster.netns}", "--")


def create(cluster: Cluster, addresses: Addresses) -> None:
    """Make the namespace and join it to the host; removing the namespace removes every rule in it."""
    cluster.netns.touch()
    run("unshare", f"--net={cluster.netns}", "true")
    link, within = interface(cluster), inside(cluster)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", cluster.netns)
    run("ip", "addr", "add", f"{addresses.host}/30", "dev", link)
    run("ip", "link", "set", link, "up")
    run(*within, "ip", "link", "set", "lo", "up")
    run(*within, "ip", "addr", "add", f"{addresses.node}/30", "dev", "eth0")
    run(*within, "ip", "link", "set", "eth0", "up")
    run(*within, "ip", "route", "add", "default", "via", addresses.host)
    run(*within, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    run("ip", "route", "add", addresses.subnet, "via", addresses.node, "dev", link)


def remove(cluster: Cluster) -> None:
    """Undo create(); harmless when parts are missing."""
    if succeeds("ip", "link", "show", interface(cluster)):
        run("ip", "link", "delete", interface(cluster))
    if succeeds("mountpoint", "-q", cluster.netns):
        run("umount", cluster.netns)
