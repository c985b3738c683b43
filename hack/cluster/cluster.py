"""`up`: start a cluster and wait until all of its parts are ready."""

import json
import os
import threading
import time
from collections.abc import Callable

from hack.cluster import addons, certs, cgroups, controlplane, net, node, ownimages, store
from hack.cluster.build import build_basic, build_control_plane, build_full
from hack.cluster.cleanup import take_down
from hack.cluster.lock import locked
from hack.cluster.paths import Cluster, bin_dir
from hack.cluster.processes import recorded, running
from hack.cluster.report import Problem, say

FULL, BASIC, API_ONLY = "full", "basic", "control-plane"
"""A node with monitoring, a node without, no node."""
BUILD = {FULL: build_full, BASIC: build_basic, API_ONLY: build_control_plane}


def read_state(cluster: Cluster) -> dict:
    """What `up` wrote about a cluster; empty when there is none."""
    return json.loads(cluster.state_file.read_text()) if cluster.state_file.exists() else {}


def up(cluster: Cluster, mode: str, controllers: bool = True, wait: bool = True) -> None:
    """Bring the cluster up, or find that it is; `wait`: until its add-ons answer."""
    state = read_state(cluster)
    if state.get("ready") and mode == BASIC and state["mode"] == FULL:
        mode = FULL  # has all that was asked for
    if state.get("ready") and state["mode"] != mode:
        raise Problem(f"Cluster {cluster.name} is up as {state['mode']}: take it down first, or use another --name.")
    if state.get("ready") and running(cluster).keys() == recorded(cluster):
        controlplane.wait_ready(cluster)
        if wait and mode != API_ONLY:
            addons.wait_all(cluster, mode == FULL)
        say(f"cluster {cluster.name} is up: export KUBECONFIG={cluster.kubeconfig}")
        return
    if mode != API_ONLY and os.geteuid() != 0:
        raise Problem(
            "A cluster with a node needs root (namespaces, mounts, cgroups): run it as root, "
            "use --control-plane-only, or use kind (hack/cluster/kind.yaml)."
        )
    BUILD[mode]()
    with locked(f"cluster-{cluster.name}"):
        take_down(cluster)
        start = time.monotonic()
        _start_api_only(cluster, controllers) if mode == API_ONLY else _start_with_node(cluster, mode, wait)
    say(f"cluster {cluster.name} is up after {time.monotonic() - start:.1f} s: export KUBECONFIG={cluster.kubeconfig}")


def _prepare(cluster: Cluster) -> None:
    for folder in (cluster.state, cluster.data, cluster.logs):
        folder.mkdir(parents=True, exist_ok=True)
    (cluster.data / "etcd").mkdir(mode=0o700)


def _start_api_only(cluster: Cluster, controllers: bool) -> None:
    """etcd, API server and controllers on the loopback interface."""
    _prepare(cluster)
    at = controlplane.local_endpoints()
    certs.make_all(cluster, ["127.0.0.1"], node_ip=None)
    certs.write_kubeconfig(cluster, "admin", at.server, cluster.kubeconfig)
    controlplane.start_etcd(cluster, at)
    controlplane.start_apiserver(cluster, at)
    controlplane.wait_ready(cluster)
    if controllers:
        controlplane.start_controller_manager(cluster, at)
    addons.apply_crds(cluster, api_only=True)
    _write_state(cluster, {"mode": API_ONLY, "server": at.server, "host": "127.0.0.1"})


def _start_with_node(cluster: Cluster, mode: str, wait: bool) -> None:
    """Control plane, node and add-ons, the API server's start and the node's in parallel."""
    with locked("cluster-net"):
        _prepare(cluster)
        addresses = net.free_addresses()
        net.create(cluster, addresses)
    cgroups.create(cluster.cgroup)
    at = controlplane.Endpoints(addresses.node, 6443, 2379, 2380, addresses.services, net.inside(cluster))
    node.write_configs(cluster, addresses)
    store.take(cluster)
    node.start_containerd(cluster)
    controlplane.start_etcd(cluster, at)
    certs.make_all(cluster, [addresses.node, addresses.api_service, "127.0.0.1"], addresses.node)
    certs.write_kubeconfig(cluster, "admin", at.server, cluster.kubeconfig)
    controlplane.start_apiserver(cluster, at)
    facts = {"mode": mode, "server": at.server, **_places(cluster, addresses)}
    _write_state(cluster, facts, ready=False)
    monitoring = mode == FULL
    _both(
        lambda: _start_node(cluster, addresses, at, monitoring), lambda: _start_rest(cluster, addresses, at, monitoring)
    )
    if wait:
        addons.wait_all(cluster, monitoring)
    _write_state(cluster, facts)


def _start_node(cluster: Cluster, addresses: net.Addresses, at: controlplane.Endpoints, monitoring: bool) -> None:
    """Images first, so that no pod asks for one that is not there; then the kubelet."""
    node.wait_containerd(cluster)
    store.load(cluster.containerd_socket, ownimages.cluster_archives(monitoring))
    controlplane.wait_ready(cluster)
    node.start_kubelet(cluster, addresses, at.server, running(cluster)["containerd"])
    node.start_proxy(cluster, at.server)


def _start_rest(cluster: Cluster, addresses: net.Addresses, at: controlplane.Endpoints, monitoring: bool) -> None:
    controlplane.wait_ready(cluster)
    controlplane.start_controller_manager(cluster, at)
    controlplane.start_scheduler(cluster, at)
    addons.apply_basic(cluster, addresses)
    if monitoring:
        addons.apply_monitoring(cluster)
    say("add-ons applied")


def _both(*jobs: Callable[[], None]) -> None:
    """Run jobs side by side and raise what the first failing one raised."""
    problems: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def _places(cluster: Cluster, addresses: net.Addresses) -> dict:
    return {
        "host": addresses.host,
        "node_ip": addresses.node,
        "node_name": cluster.node_name,
        "pod_subnet": addresses.pods,
        "service_subnet": addresses.services,
        "dns": addresses.dns,
        "containerd_socket": str(cluster.containerd_socket),
    }


def _write_state(cluster: Cluster, facts: dict, ready: bool = True) -> None:
    common = {
        "name": cluster.name,
        "kubeconfig": str(cluster.kubeconfig),
        "bin": str(bin_dir()),
        "logs": str(cluster.logs),
        "audit_log": str(cluster.state / "audit.log"),
        "ready": ready,
    }
    cluster.state_file.write_text(json.dumps({**common, **facts}, indent=2) + "\n")
