"""`kubectl heart erase`: a Job in the model's namespace, with the login that its serving pods have."""

import re
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from heart_api.checks import new_id
from heart_api.handover import Env
from heart_api.kube.kinds import DEPLOYMENT, JOB, POD
from heart_api.kube.values import Manifest
from heart_api.names import PART_OF, Annotation, Component, Label
from heart_api.outbox import Erasure
from heart_api.times import written
from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.logdatabase import name_of
from heart_cli.podlogs import JOB_LABEL

POLL_SECONDS = 1.0
REPORT = re.compile(r"erased ([0-9]{1,12}) predictions and ([0-9]{1,12}) outcomes")
DEADLINE_SECONDS = 120
KEPT_SECONDS = 300
"""Of the Job, whose arguments name whom it was about."""
COPIED = ("serviceAccountName", "securityContext", "imagePullSecrets", "nodeSelector", "tolerations")


def erase(client: Client, model: str, requests: Sequence[str], subject: str | None) -> str:
    """Report of the erasure, from the Job's log. Raises Failure."""
    name = start_erasure(client, model, requests, subject)
    succeeded = wait_for(client, name)
    lines = read_lines(client, name)
    if not succeeded:
        raise Failure(f"Nothing is known to be erased: Job {name} failed{': ' + lines[-1] if lines else ''}")
    return lines[-1] if lines else f"Job {name} has erased it"


def start_erasure(client: Client, model: str, requests: Sequence[str], subject: str | None) -> str:
    """The name of the Job. Raises Failure."""
    return name_of(client.write("POST", JOB.path(client.namespace), build_job(client, model, requests, subject)))


def announce(client: Client, model: str, report: str) -> str:
    """Tell the operator how much was erased, for the history and its receivers; why not, if it could not be told.

    The erasure itself is done, and recorded in the log's database.
    """
    found = REPORT.search(report)
    try:
        erasure = Erasure(
            id=new_id(datetime.now(UTC), secrets.token_hex(4)),
            time=written(datetime.now(UTC)),
            predictions=int(found[1]) if found else 0,
            outcomes=int(found[2]) if found else 0,
        )
        text = erasure.model_dump_json(by_alias=True)
        client.annotate(model, {Annotation.ERASED: text, Annotation.ERASED_BY: client.user_name()})
    except ApiFailure as error:
        return f"It is erased, but the operator could not be told, so that no event says so: {error}"
    return ""


def build_job(client: Client, model: str, requests: Sequence[str], subject: str | None) -> Manifest:
    """Image, account and address of the log are those of the model's newest Deployment. Raises Failure."""
    pod = newest_pod_spec(client, model)
    (server,) = (container for container in pod["containers"] if container["name"] == "server")
    address = [entry for entry in server.get("env", []) if entry["name"] == Env.DATABASE_URL]
    if not address:
        raise Failure(f"{model} has no prediction log in a database (spec.serving.predictionLog.sink)")
    arguments = ["erase", model, *(word for request in requests for word in ("--request-id", request))]
    arguments += ["--subject", subject] if subject is not None else []
    container: dict[str, Any] = {
        "name": "erase",
        "image": server["image"],
        "imagePullPolicy": server.get("imagePullPolicy", "IfNotPresent"),
        "command": ["python3", "-m", "heart_log"],
        "args": [word.replace("$", "$$") for word in arguments],
        "env": address,
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": server["securityContext"],
    }
    spec = {key: pod[key] for key in COPIED if key in pod} | {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
    }
    labels = {Label.PART_OF: PART_OF, Label.COMPONENT: "erasure"}
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": {"generateName": f"{model[:40]}-erase-", "labels": labels},
        "spec": {
            "backoffLimit": 2,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def newest_pod_spec(client: Client, model: str) -> dict[str, Any]:
    selector = f"{Label.MODEL}={model},{Label.COMPONENT}={Component.SERVING}"
    found = client.list(DEPLOYMENT, labelSelector=selector)
    if not found:
        raise Failure(f"{model} has no Deployment in namespace {client.namespace}: nothing says where its log is")
    newest = max(found, key=lambda item: str(item["metadata"]["creationTimestamp"]))
    spec: dict[str, Any] = newest["spec"]["template"]["spec"]
    return spec


def wait_for(client: Client, name: str) -> bool:
    """Whether the Job succeeded. Raises Failure when it has not ended in time."""
    give_up_at = time.monotonic() + DEADLINE_SECONDS + 30
    while time.monotonic() < give_up_at:
        conditions = client.get(JOB, name).get("status", {}).get("conditions") or []
        ended = {entry["type"] for entry in conditions if entry["status"] == "True"}
        if ended & {"Complete", "Failed"}:
            return "Complete" in ended
        time.sleep(POLL_SECONDS)
    raise Failure(f"Job {name} has not ended in time; kubectl logs --namespace {client.namespace} job/{name} says more")


def read_lines(client: Client, name: str) -> list[str]:
    pods = sorted(pod["metadata"]["name"] for pod in client.list(POD, labelSelector=f"{JOB_LABEL}={name}"))
    if not pods:
        return []
    lines = client.lines(f"{POD.path(client.namespace, pods[-1])}/log", {"tailLines": "5"})
    return [line.decode(errors="replace") for line in lines]
