"""Enforces NetworkPolicies on the node with kube-network-policies, unchanged: `enforce`, and `enforce --off`.

It judges the first packet of each connection, which the kernel hands it over a netfilter queue. Its own rule for that
is written in nftables, which a kernel without CONFIG_NFT_QUEUE cannot load; it logs that and judges what comes. So the
same rule stands here for iptables, whose queue (CONFIG_NETFILTER_XT_TARGET_NFQUEUE) is another part of the kernel.
"""

from collections.abc import Iterable
from string import Template

from hack.cluster import addons, store
from hack.cluster.build import build_policies
from hack.cluster.net import inside
from hack.cluster.paths import HERE, Cluster, policies_dir
from hack.cluster.report import say
from hack.cluster.shell import run, succeeds, wait_for

QUEUE = "98"
CHAIN, TABLE = "NETWORK-POLICIES", "mangle"
"""A table of its own beside kube-proxy's; POSTROUTING comes after a Service's address was replaced by a pod's."""
ENGINE = ("kube-system", "daemonset/kube-network-policies")


def enforce(cluster: Cluster, pods: str) -> None:
    """Policies hold for new connections from and to `pods` (a subnet) once this returns. Twice changes nothing."""
    build_policies()
    store.load(cluster.containerd_socket, [policies_dir() / "kube-network-policies.tar"])
    manifest = (HERE / "addons" / "kube-network-policies.yaml").read_text()
    values = {"IMAGE": reference(), "QUEUE": QUEUE, "NODE": cluster.node_name}
    addons.kubectl(cluster, "apply", "--server-side", "-f", "-", input=Template(manifest).safe_substitute(values))
    wait_for("kube-network-policies listens", lambda: _listens(cluster), 90)
    if not succeeds(*_iptables(cluster), "-n", "-L", CHAIN):
        for rule in rules(pods):
            run(*_iptables(cluster), *rule)
    say(f"cluster {cluster.name} enforces NetworkPolicies")


def relax(cluster: Cluster) -> None:
    """Undo it; harmless when it was not done."""
    if succeeds(*_iptables(cluster), "-n", "-L", CHAIN):
        run(*_iptables(cluster), "-D", "POSTROUTING", "-j", CHAIN)
        run(*_iptables(cluster), "-F", CHAIN)
        run(*_iptables(cluster), "-X", CHAIN)
    namespace, workload = ENGINE
    addons.kubectl(cluster, "delete", "-n", namespace, workload, "--ignore-not-found")


def reference() -> str:
    """The image's name on the node."""
    return f"heartops/kube-network-policies:{policies_dir().name}"


def rules(pods: str) -> Iterable[tuple[str, ...]]:
    """As kube-network-policies writes them: not what root on the node sends (probes), nor what has been admitted."""
    yield "-N", CHAIN
    yield "-A", CHAIN, "-m", "owner", "--uid-owner", "0", "-j", "RETURN"
    yield "-A", CHAIN, "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN"
    yield "-A", CHAIN, "-s", pods, "-j", "NFQUEUE", "--queue-num", QUEUE
    yield "-A", CHAIN, "-d", pods, "-j", "NFQUEUE", "--queue-num", QUEUE
    yield "-A", "POSTROUTING", "-j", CHAIN


def _iptables(cluster: Cluster) -> tuple[object, ...]:
    return (*inside(cluster), "iptables", "-w", "-t", TABLE)


def _listens(cluster: Cluster) -> bool:
    """Whether somebody reads the queue: without a reader every packet in it is lost."""
    text = run(*inside(cluster), "cat", "/proc/net/netfilter/nfnetlink_queue")
    return any(line.split()[0] == QUEUE for line in text.splitlines())
