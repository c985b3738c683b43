"""`python -m heart_operator.bootstrap`: make the Secrets that the chart's pods wait for, where they are missing.

A Job of the chart runs it: random values in rendered manifests would be others at every rendering. A key that is there
stays, whoever made it (another run, an administrator, an external secret store).
"""

import argparse
import asyncio
import base64
import sys
from collections.abc import Callable, Mapping, Sequence

from kubernetes.aio.config.config_exception import ConfigException

from heart_api.credentials import log_url, new_key, new_password
from heart_api.handover import Env
from heart_api.kube.kinds import SECRET
from heart_api.names import PART_OF, RUNTIME_SECRET, Label
from heart_operator.kube.client import Cluster, load_configuration
from heart_operator.kube.errors import ApiError, NotFound

Makers = Mapping[str, Callable[[], str]]
"""Key of a Secret → how to make its value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if every key exists; 1 if the API server rejected a request or gave no answer: the Job retries."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(options))
    except (ApiError, ConfigException) as error:
        print(f"the Secrets are not complete: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m heart_operator.bootstrap", description=__doc__)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--database-secret", help="Secret with the passwords of PostgreSQL's own roles")
    parser.add_argument("--logins-secret", help="Secret with the password of each namespace's login")
    parser.add_argument("--log-host", help="host:port of the prediction log's PostgreSQL")
    parser.add_argument("--runtime-secret", action="store_true", help=f"make {RUNTIME_SECRET} for this namespace")
    return parser


async def _run(options: argparse.Namespace) -> None:
    cluster = Cluster(await load_configuration())
    try:
        await make_secrets(cluster, options)
    finally:
        await cluster.close()


async def make_secrets(cluster: Cluster, options: argparse.Namespace) -> None:
    """Raises ApiError."""
    namespace = options.namespace
    if options.database_secret:
        makers = {"password": new_password, "heartops-password": new_password}
        await complete(cluster, namespace, options.database_secret, makers)
    runtime: dict[str, Callable[[], str]] = {Env.ROW_KEY: new_key, Env.PROOF_KEY: new_key}
    if options.logins_secret:
        logins = await complete(cluster, namespace, options.logins_secret, {namespace: new_password})
        runtime[Env.DATABASE_URL] = lambda: log_url(options.log_host, namespace, logins[namespace])
    if options.runtime_secret:
        await complete(cluster, namespace, RUNTIME_SECRET, runtime)


async def complete(cluster: Cluster, namespace: str, name: str, makers: Makers) -> dict[str, str]:
    """The Secret's values once it has all these keys. Raises ApiError."""
    known = await _read(cluster, namespace, name)
    missing = {key: make() for key, make in makers.items() if key not in (known or {})}
    if known is None:
        labels = {Label.PART_OF: PART_OF}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": missing}
        await cluster.create(SECRET, body)
    elif missing:
        await cluster.patch(SECRET, namespace, name, None, {"stringData": missing})
    done = f"added {' and '.join(missing)}" if missing else "nothing is missing"
    print(f"Secret {name}: {done}", flush=True)
    return (known or {}) | missing


async def _read(cluster: Cluster, namespace: str, name: str) -> dict[str, str] | None:
    try:
        found = await cluster.get(SECRET, namespace, name)
    except NotFound:
        return None
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


if __name__ == "__main__":
    sys.exit(main())
