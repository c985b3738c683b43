"""The operator's token for MLflow, of a separate ServiceAccount whose only permissions are in the registry.

MLflow passes a caller's token on to the API server. With the operator's own token, an attacker who took over MLflow
would have all of the operator's permissions.
"""

import asyncio
import logging
import os
from typing import Never

from heart_api.kube.kinds import SERVICE_ACCOUNT
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError
from heart_operator.mlflow.credentials import TOKEN_VARIABLE

TOKEN_SECONDS = 3600
RENEW_SECONDS = 1800.0
RETRY_SECONDS = 10.0
log = logging.getLogger(__name__)


class RegistryToken:
    """`account`: a ServiceAccount in the operator's namespace; empty if MLflow needs no Kubernetes token."""

    def __init__(self, cluster: Cluster, namespace: str, account: str) -> None:
        self._cluster, self._namespace, self._account = cluster, namespace, account

    async def keep(self) -> Never:
        """Renew the token until cancelled. While there is none, MLflow answers 401 and reconciles report it."""
        while True:
            pause = RENEW_SECONDS if await self.renew() else RETRY_SECONDS
            await asyncio.sleep(pause)

    async def renew(self) -> bool:
        """Request a token. Returns False if the API server issued none."""
        if not self._account:
            return True
        path = SERVICE_ACCOUNT.path(self._namespace, self._account, "token")
        spec = {"expirationSeconds": TOKEN_SECONDS}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            answer = await self._cluster.request("POST", path, body=body)
        except ApiError as error:
            log.warning("No token for MLflow could be obtained: %s", error)
            return False
        os.environ[TOKEN_VARIABLE] = answer["status"]["token"]
        return True
