"""A real gateway controller on this machine, and servers that answer for the pods of a version."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

from hack.cluster.ports import free_port
from tests.support.apiserver.client import Resource, poll

CONTROLLER = "traefik.io/gateway-controller"
INGRESS_CONTROLLER = "traefik.io/ingress-controller"
API = "gateway.networking.k8s.io/v1"
GATEWAY = {"name": "public", "namespace": "gateways"}
"""That of the examples and documents."""


@dataclass(frozen=True)
class Gateway:
    """Where it listens: for users, and for questions about itself."""

    port: int
    own_port: int

    def ask(self, host: str, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers={"Host": host}, timeout=10)

    def count(self, host: str, requests: int) -> Counter[str]:
        """Who answered so many requests, sent one after the other; each must succeed."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers={"Host": host}, timeout=10) as client:
            return Counter(client.get("/").raise_for_status().json()["version"] for _ in range(requests))

    def weights(self, namespace: str) -> dict[str, int]:
        """The weight of each server's URL in the routes of a namespace, as they are in force."""
        services = self.own("rawdata").get("services", {})
        routes = (
            found["weighted"] for name, found in services.items() if f"-{namespace}-" in name and "weighted" in found
        )
        return {
            server["url"]: entry["weight"]
            for route in routes
            for entry in route["services"]
            for server in services.get(f"{entry['name']}@kubernetesgateway", {})
            .get("loadBalancer", {})
            .get("servers", ())
        }

    def own(self, path: str) -> Any:
        return httpx.get(f"http://127.0.0.1:{self.own_port}/api/{path}", timeout=10).raise_for_status().json()

    def is_up(self) -> bool:
        try:
            return bool(self.own("version"))
        except httpx.HTTPError:
            return False


@contextmanager
def running(binary: Path, kubeconfig: Path, log: Path) -> Iterator[Gateway]:
    """The controller beside the API server; it asks nobody else for anything."""
    gateway = Gateway(free_port(), free_port())
    command = (
        str(binary),
        "--providers.kubernetesgateway=true",
        "--providers.kubernetesingress=true",
        "--providers.kubernetesingress.strictprefixmatching=true",  # whole elements of a path, as Kubernetes says
        "--providers.providersthrottleduration=100ms",
        f"--entrypoints.web.address=127.0.0.1:{gateway.port}",
        f"--entrypoints.traefik.address=127.0.0.1:{gateway.own_port}",
        "--api.insecure=true",
        "--api.dashboard=false",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    )
    environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(log.parent), "PATH": os.environ["PATH"]}
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            poll(f"the gateway controller answers ({log} says why not)", gateway.is_up, 30)
            yield gateway
        finally:
            process.terminate()


def gateway_objects(port: int) -> list[Resource]:
    """The Gateway of the documents, open to the routes of every namespace, and what it needs."""
    listener = {"name": "web", "port": port, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GATEWAY["namespace"]}},
        {
            "apiVersion": API,
            "kind": "GatewayClass",
            "metadata": {"name": "here"},
            "spec": {"controllerName": CONTROLLER},
        },
        {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": GATEWAY,
            "spec": {"gatewayClassName": "here", "listeners": [listener]},
        },
    ]


def ingress_class(name: str) -> Resource:
    """The controller takes the Ingresses of this class, whatever its name."""
    meta = {"name": name}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": meta,
        "spec": {"controller": INGRESS_CONTROLLER},
    }


@contextmanager
def assigned(address: str) -> Iterator[None]:
    """The loopback interface has this address for so long: an EndpointSlice must not have 127.0.0.1."""
    run("ip", "address", "replace", f"{address}/32", "dev", "lo")
    try:
        yield
    finally:
        run("ip", "address", "delete", f"{address}/32", "dev", "lo")


@contextmanager
def answering(version: str, address: str) -> Iterator[str]:
    """A server at that address; yields its URL. The answer is JSON: the version and the path that was asked for."""
    with assigned(address), ThreadingHTTPServer((address, 0), handler(version)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://{address}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def handler(version: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'{{"version": "{version}", "path": "{self.path}"}}'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def run(*command: str) -> None:
    subprocess.run(command, check=True)
