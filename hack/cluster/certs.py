"""The cluster's keys and certificates, made with the openssl command."""

import base64
import json
from pathlib import Path

from hack.cluster.paths import Cluster
from hack.cluster.shell import require, run

CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
CLIENTS = {  # file name: (common name, organisation) — the names that Kubernetes' built-in roles are bound to
    "admin": ("heartops-admin", "system:masters"),
    "apiserver-kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
}


def make_all(cluster: Cluster, server_ips: list[str], node_ip: str | None) -> None:
    """Write every key of a cluster into its pki folder; without node_ip, none for a kubelet."""
    require("openssl", "install openssl")
    pki = cluster.pki
    pki.mkdir(parents=True, mode=0o700, exist_ok=True)
    (pki / "openssl.cnf").write_text(CONFIG)
    _authority(pki, "ca")
    _authority(pki, "front-proxy-ca")
    names = [
        "DNS:localhost",
        "DNS:kubernetes",
        "DNS:kubernetes.default",
        "DNS:kubernetes.default.svc",
        "DNS:kubernetes.default.svc.cluster.local",
        *(f"IP:{ip}" for ip in server_ips),
    ]
    _leaf(pki, "apiserver", "kube-apiserver", alternatives=names)
    _leaf(pki, "front-proxy-client", "front-proxy-client", authority="front-proxy-ca")
    for name, (common, organisation) in CLIENTS.items():
        _leaf(pki, name, common, organisation)
    if node_ip:
        _leaf(
            pki,
            "kubelet",
            f"system:node:{cluster.node_name}",
            "system:nodes",
            alternatives=[f"DNS:{cluster.node_name}", f"IP:{node_ip}"],
        )
    run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", pki / "service-account.key")


def write_kubeconfig(cluster: Cluster, user: str, server: str, target: Path) -> None:
    """A kubeconfig (JSON is YAML) with its certificates inside, so that it can be copied elsewhere."""

    def embedded(name: str) -> str:
        return base64.b64encode((cluster.pki / name).read_bytes()).decode()

    name = cluster.node_name
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": embedded("ca.crt")}}],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": embedded(f"{user}.crt"),
                    "client-key-data": embedded(f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
    }
    target.touch(mode=0o600)
    target.write_text(json.dumps(content, indent=1))


def _new_key(pki: Path, name: str, subject: str, *options: object) -> None:
    run(
        "openssl",
        "req",
        "-x509",
        "-config",
        pki / "openssl.cnf",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "365",
        "-sha256",
        "-subj",
        subject,
        "-keyout",
        pki / f"{name}.key",
        "-out",
        pki / f"{name}.crt",
        *options,
    )


def _authority(pki: Path, name: str) -> None:
    _new_key(
        pki,
        name,
        f"/CN=heartops-{name}",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign",
        "-addext",
        "subjectKeyIdentifier=hash",
    )


def _leaf(
    pki: Path,
    name: str,
    common: str,
    organisation: str = "",
    authority: str = "ca",
    alternatives: list[str] | None = None,
) -> None:
    subject = (f"/O={organisation}" if organisation else "") + f"/CN={common}"
    extra = ["-addext", f"subjectAltName={','.join(alternatives)}"] if alternatives else []
    _new_key(
        pki,
        name,
        subject,
        "-CA",
        pki / f"{authority}.crt",
        "-CAkey",
        pki / f"{authority}.key",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "extendedKeyUsage=clientAuth,serverAuth",
        *extra,
    )
