"""Pods as network namespaces on one router, where kube-network-policies judges their connections by what the API holds.

No kubelet: a test gives a Pod object the address of one of these. Needs root; all of it goes with the namespaces.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hack.cluster.policies import QUEUE, rules
from tests.support.apiserver.client import KubeApi, Resource, poll

SUBNET, ROUTER = "10.251.1.0/24", "10.251.0.1"
"""Of these namespaces alone: nothing else has a route there."""
TRY = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
    print("open")
except OSError:
    print("closed")
"""
LISTEN = """
import socket, sys, threading
def serve(listener):
    while True:
        listener.accept()[0].close()
for port in sys.argv[1:]:
    threading.Thread(target=serve, args=(socket.create_server(("0.0.0.0", int(port))),)).start()
"""
BRIDGE = """
import socket, sys
sys.path.insert(0, sys.argv[3])
from tests.support.apiserver.network import join
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX)
    server.connect(sys.argv[2])
    join(client, server)
"""
ENGINE = """
mount -t tmpfs tmpfs /run && mkdir -p "$ACCOUNT" && cd "$ACCOUNT" || exit 1
printf %s "$TOKEN" > token && printf %s "$AUTHORITY" > ca.crt && exec "$@"
"""
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod has its token: in the engine's own mount namespace."""


@dataclass(frozen=True)
class Network:
    """`addresses`: of each pod, by its name."""

    prefix: str
    addresses: Mapping[str, str]

    def reach(self, caller: str, called: str, port: int) -> str:
        """`open` or `closed`: what a connection from one pod to another meets within two seconds."""
        return run(*self.inside(caller), sys.executable, "-c", TRY, self.addresses[called], port).strip()

    def inside(self, name: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.prefix + name)


@contextmanager
def network(names: Sequence[str], ports: Sequence[int]) -> Iterator[Network]:
    """One namespace for each pod, which listens on these ports, and a router between them that judges nothing yet."""
    found = Network(f"ho{os.getpid()}-", {name: f"10.251.1.{number}" for number, name in enumerate(names, 10)})
    with ExitStack() as stack:
        for name in ("router", *names):
            run("ip", "netns", "add", found.prefix + name)
            stack.callback(run, "ip", "netns", "delete", found.prefix + name)
        run(*found.inside("router"), "sysctl", "-qw", "net.ipv4.ip_forward=1")
        run(*found.inside("router"), "ip", "link", "set", "lo", "up")
        for number, name in enumerate(names):
            connect(found, name, f"pod{number}")
            command = [*found.inside(name), sys.executable, "-c", LISTEN, *map(str, ports)]
            stack.enter_context(running(command))
        yield found


def connect(network: Network, name: str, link: str) -> None:
    """A pair of interfaces, as a point-to-point network plugin makes it."""
    router, pod, address = network.prefix + "router", network.prefix + name, f"{network.addresses[name]}/32"
    run("ip", "link", "add", link, "netns", router, "type", "veth", "peer", "name", "eth0", "netns", pod)
    run("ip", "-n", router, "addr", "add", f"{ROUTER}/32", "dev", link)
    run("ip", "-n", router, "link", "set", link, "up")
    run("ip", "-n", router, "route", "add", address, "dev", link)
    for words in (("link", "set", "lo", "up"), ("addr", "add", address, "dev", "eth0"), ("link", "set", "eth0", "up")):
        run("ip", "-n", pod, *words)
    run("ip", "-n", pod, "route", "add", ROUTER, "dev", "eth0")
    run("ip", "-n", pod, "route", "add", "default", "via", ROUTER)


@contextmanager
def enforced(network: Network, api: KubeApi, token: str, binary: Path, folder: Path) -> Iterator[None]:
    """kube-network-policies judges each new connection, until the block ends. Its log is `engine.log` in the folder."""
    port = urlsplit(api.server).port
    path = folder / "api.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threading.Thread(target=pass_on, args=(listener, port), daemon=True).start()
    root = str(Path(__file__).parents[3])
    bridge = [*network.inside("router"), sys.executable, "-c", BRIDGE, str(port), str(path), root]
    engine = [*network.inside("router"), "unshare", "--mount", "--propagation", "private", "sh", "-c", ENGINE, "engine"]
    options = (f"--nfqueue-id={QUEUE}", "--netfilter-bug-1766-fix=false", "--metrics-bind-address=127.0.0.1:9080")
    secret = {"ACCOUNT": ACCOUNT, "TOKEN": token, "AUTHORITY": api.ca.decode()}
    where = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
    with (
        running(bridge),
        running(
            [*engine, str(binary), *options, "--hostname-override=router"], {**secret, **where}, folder / "engine.log"
        ),
    ):
        poll("kube-network-policies reads its queue", lambda: reads_queue(network), 60)
        for rule in rules(SUBNET):
            run(*network.inside("router"), "iptables", "-w", "-t", "mangle", *rule)
        yield
    listener.close()


def reads_queue(network: Network) -> bool:
    text = run(*network.inside("router"), "cat", "/proc/net/netfilter/nfnetlink_queue")
    return any(line.split()[0] == QUEUE for line in text.splitlines())


def pass_on(listener: socket.socket, port: int | None) -> None:
    """From the router, which has no way to this machine's loopback interface, to the API server on it."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        join(client, socket.create_connection(("127.0.0.1", port or 443)))


def join(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on between two connections, in threads, until one of them ends."""
    for source, target in ((one, other), (other, one)):
        threading.Thread(target=pump, args=(source, target), daemon=True).start()


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


def at(address: str) -> Resource:
    """The status of a Pod that runs there."""
    ready = {"type": "Ready", "status": "True"}
    return {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}}


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str] = {}, log: Path = Path(os.devnull)
) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def run(*words: object) -> str:
    """Standard output of a command that has to succeed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}"
    return done.stdout
