"""`kubectl heart mlflow`: MLflow's pages on a loopback port, every request with a token of the namespace.

MLflow asks Kubernetes what the token may do in the namespace, which is its workspace. A browser cannot show one by
itself.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import urllib3

from heart_api.kube.kinds import SERVICE, SERVICE_ACCOUNT
from heart_api.names import PART_OF, Label
from heart_cli.client import Client
from heart_cli.errors import Failure

MLFLOW = f"{Label.PART_OF}={PART_OF},{Label.COMPONENT}=mlflow"
TOKEN_SECONDS = 8 * 3600
LOOPBACK = frozenset({"localhost", "127.0.0.1"})
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"})
NOT_FORWARDED = HOP_BY_HOP | {"host", "authorization", "x-mlflow-workspace"}


def find_service(system: Client) -> str:
    """Raises Failure."""
    found = system.list(SERVICE, labelSelector=MLFLOW)
    if not found:
        raise Failure(f"Namespace {system.namespace} has no MLflow of HeartOps")
    name: str = found[0]["metadata"]["name"]
    return name


def request_token(client: Client) -> str:
    """Of the namespace's default account, which `init-namespace` lets into its workspace. Raises ApiFailure."""
    path = SERVICE_ACCOUNT.path(client.namespace, "default", "token")
    spec = {"expirationSeconds": TOKEN_SECONDS}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    token: str = client.call("POST", path, body=body)["status"]["token"]
    return token


@contextmanager
def forwarded(options: Sequence[str], namespace: str, service: str) -> Iterator[str]:
    """The Service's address on a loopback port, by kubectl. Raises Failure."""
    command = ("kubectl", *options, "port-forward", "-n", namespace, f"service/{service}", ":5000")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  names of objects
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if "127.0.0.1:" in line), "")
            if not line:
                raise Failure(f"kubectl could not forward a port to service/{service} in namespace {namespace}")
            yield f"http://127.0.0.1:{line.split('127.0.0.1:')[1].split()[0]}"
        finally:
            process.terminate()


def build_server(port: int, upstream: str, token: str, workspace: str) -> ThreadingHTTPServer:
    """On loopback alone; `serve_forever` runs it."""
    extra = {"Authorization": f"Bearer {token}", "X-MLFLOW-WORKSPACE": workspace}
    pool = urllib3.PoolManager(maxsize=16, retries=False)

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if why := rejection(self.headers.get("Host", ""), self.headers.get("Origin", "")):
                self.send_error(403, why)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in NOT_FORWARDED}
            url, headers = upstream + self.path, kept | extra
            answer = pool.request(self.command, url, body=body, headers=headers, redirect=False, decode_content=False)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.data)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a path may name what others should not read."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def rejection(host: str, origin: str) -> str:
    """Why a request is not the user's own: another site's page, or a name that resolves to this machine."""
    if host.rpartition(":")[0] not in LOOPBACK:
        return "Open it as localhost"
    if origin and urlsplit(origin).hostname not in LOOPBACK:
        return "Another site's page may not use this address"
    return ""


def open_mlflow(client: Client, system: Client, options: Sequence[str], port: int, say: Callable[[str], None]) -> None:
    """Until Ctrl-C. Raises Failure."""
    service, token = find_service(system), request_token(client)
    with forwarded(options, system.namespace, service) as upstream:
        try:
            server = build_server(port, upstream, token, client.namespace)
        except OSError as error:
            raise Failure(f"Port {port} cannot be used ({error.strerror}): choose another with --port") from None
        with server:
            say(f"MLflow, workspace {client.namespace}: http://localhost:{port} (Ctrl-C ends it)")
            server.serve_forever()
