"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler."""

from dataclasses import dataclass

from hack.cluster.certs import write_kubeconfig
from hack.cluster.paths import HERE, Cluster, bin_dir
from hack.cluster.ports import free_port
from hack.cluster.processes import check_alive, start
from hack.cluster.shell import succeeds, wait_for


@dataclass(frozen=True)
class Endpoints:
    """Where the control plane listens, and the prefix that enters its network namespace."""

    address: str
    api_port: int
    etcd_port: int
    peer_port: int
    services: str
    enter: tuple[object, ...] = ()

    @property
    def server(self) -> str:
        return f"https://{self.address}:{self.api_port}"


def local_endpoints() -> Endpoints:
    """Free ports of the loopback interface, for a control plane without a node."""
    return Endpoints("127.0.0.1", free_port(), free_port(), free_port(), services="10.96.0.0/16")


def start_etcd(cluster: Cluster, at: Endpoints) -> None:
    """An etcd that does not wait for the disk: the data lives no longer than the cluster."""
    client, peer = f"http://127.0.0.1:{at.etcd_port}", f"http://127.0.0.1:{at.peer_port}"
    start(
        cluster,
        "etcd",
        [
            bin_dir() / "etcd",
            "--data-dir",
            cluster.data / "etcd",
            "--unsafe-no-fsync",
            "--log-level=warn",
            "--listen-client-urls",
            client,
            "--advertise-client-urls",
            client,
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            f"default={peer}",
        ],
        at.enter,
    )


def start_apiserver(cluster: Cluster, at: Endpoints) -> None:
    """kube-apiserver with RBAC, the node authorizer, the aggregation layer and an audit log."""
    pki = cluster.pki
    start(
        cluster,
        "kube-apiserver",
        [
            bin_dir() / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{at.etcd_port}",
            f"--bind-address={at.address if not at.enter else '0.0.0.0'}",
            f"--secure-port={at.api_port}",
            f"--advertise-address={at.address}",
            f"--service-cluster-ip-range={at.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            f"--kubelet-certificate-authority={pki}/ca.crt",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/service-account.key",
            f"--service-account-signing-key-file={pki}/service-account.key",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            "--enable-aggregator-routing=true",
            f"--audit-policy-file={HERE / 'config' / 'audit-policy.yaml'}",
            f"--audit-log-path={cluster.state}/audit.log",
            *_fast_endings(at),
        ],
        at.enter,
    )


def _fast_endings(at: Endpoints) -> list[str]:
    """Without a node nobody else uses the loopback's endpoint: `kubernetes.default` needs none."""
    return [] if at.enter else ["--endpoint-reconciler-type=none"]


def wait_ready(cluster: Cluster) -> None:
    """Wait until the API server answers that all its parts are ready."""

    def ready() -> bool:
        check_alive(cluster)
        return answers(cluster)

    wait_for("kube-apiserver ready", ready, 90)


def answers(cluster: Cluster) -> bool:
    """Whether the API server calls itself ready."""
    return succeeds(
        bin_dir() / "kubectl", "--kubeconfig", cluster.kubeconfig, "get", "--raw=/readyz", "--request-timeout=3s"
    )


def start_controller_manager(cluster: Cluster, at: Endpoints) -> None:
    """All controllers; the autoscaler looks often and does not wait minutes for a new pod's figures."""
    pki, config = cluster.pki, cluster.state / "controller-manager.kubeconfig"
    write_kubeconfig(cluster, "controller-manager", at.server, config)
    start(
        cluster,
        "kube-controller-manager",
        [
            bin_dir() / "kube-controller-manager",
            f"--kubeconfig={config}",
            "--leader-elect=false",
            "--secure-port=0",
            "--use-service-account-credentials=true",
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/service-account.key",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=30s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=10s",
        ],
        at.enter,
    )


def start_scheduler(cluster: Cluster, at: Endpoints) -> None:
    """The default scheduler."""
    config = cluster.state / "scheduler.kubeconfig"
    write_kubeconfig(cluster, "scheduler", at.server, config)
    start(
        cluster,
        "kube-scheduler",
        [bin_dir() / "kube-scheduler", f"--kubeconfig={config}", "--leader-elect=false", "--secure-port=0"],
        at.enter,
    )
