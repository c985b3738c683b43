"""containerd, kubelet and kube-proxy of the one node."""

import os
from string import Template

from hack.cluster.certs import write_kubeconfig
from hack.cluster.net import Addresses, inside
from hack.cluster.ownimages import reference
from hack.cluster.paths import HERE, Cluster, bin_dir
from hack.cluster.processes import check_alive, start
from hack.cluster.shell import succeeds, wait_for

MOUNT_POINTS = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/containerd")


def write_configs(cluster: Cluster, addresses: Addresses) -> None:
    """Fill the templates of config/ into the cluster's state folder."""
    values = {
        "NAME": cluster.name,
        "STATE": cluster.state,
        "DATA": cluster.data,
        "PKI": cluster.pki,
        "SOCKET": cluster.containerd_socket,
        "CGROUP": cluster.cgroup,
        "NODE_NAME": cluster.node_name,
        "DNS": addresses.dns,
        "PODS": addresses.pods,
        "PAUSE": reference("pause"),
    }
    (cluster.state / "cni").mkdir(exist_ok=True)
    for name in ("kubelet.yaml", "kube-proxy.yaml", "containerd.toml", "cni.conflist"):
        folder = cluster.state / "cni" if name == "cni.conflist" else cluster.state
        (folder / name).write_text(Template((HERE / "config" / name).read_text()).substitute(values))
    (cluster.state / "resolv.conf").write_text(f"nameserver {addresses.dns}\n")


def start_containerd(cluster: Cluster) -> None:
    """containerd in a mount namespace of its own, which the kubelet joins."""
    for path in MOUNT_POINTS:
        os.makedirs(path, exist_ok=True)
    isolate = (
        *inside(cluster),
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        HERE / "config" / "node.sh",
        cluster.data,
    )
    start(cluster, "containerd", ["containerd", "--config", cluster.state / "containerd.toml"], isolate)


def wait_containerd(cluster: Cluster) -> None:
    """Wait until containerd answers on its socket."""

    def ready() -> bool:
        check_alive(cluster)
        return succeeds("ctr", "--address", cluster.containerd_socket, "version")

    wait_for("containerd ready", ready, 30)


def start_kubelet(cluster: Cluster, addresses: Addresses, server: str, containerd_pid: int) -> None:
    """The kubelet, in containerd's mount namespace: both must see the same volumes."""
    config = cluster.state / "kubelet.kubeconfig"
    write_kubeconfig(cluster, "kubelet", server, config)
    enter = ("nsenter", f"--net={cluster.netns}", f"--mount=/proc/{containerd_pid}/ns/mnt", "--")
    start(
        cluster,
        "kubelet",
        [
            bin_dir() / "kubelet",
            f"--config={cluster.state}/kubelet.yaml",
            f"--kubeconfig={config}",
            f"--node-ip={addresses.node}",
            f"--hostname-override={cluster.node_name}",
            "--housekeeping-interval=5s",
        ],
        enter,
    )


def start_proxy(cluster: Cluster, server: str) -> None:
    """kube-proxy, whose nftables rules live and end with the network namespace."""
    write_kubeconfig(cluster, "kube-proxy", server, cluster.state / "kube-proxy.kubeconfig")
    start(
        cluster, "kube-proxy", [bin_dir() / "kube-proxy", f"--config={cluster.state}/kube-proxy.yaml"], inside(cluster)
    )
