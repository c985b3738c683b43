"""Makes a namespace ready for models: the one Secret that trainer and serving pods read there.

With the chart's database, the namespace also gets a role and a schema of the prediction log. Each step looks first and
then adds what is missing, so that a run which was cut short can be run again.
"""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from heart_api.credentials import LONGEST_NAMESPACE, log_url, new_key, new_password
from heart_api.handover import Env
from heart_api.kube.kinds import JOB, SECRET, Kind
from heart_api.kube.values import Manifest
from heart_api.names import PART_OF, RUNTIME_SECRET, Label
from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure

CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
DATABASE_JOBS = f"{Label.PART_OF}={PART_OF},{Label.COMPONENT}=log-database"


@dataclass(frozen=True, slots=True)
class LogDatabase:
    """The chart's prediction log, as its suspended CronJob describes it."""

    host: str
    """host:port"""
    passwords: str
    """Secret with a password for each namespace."""
    cron_job: Manifest

    def url(self, namespace: str, password: str) -> str:
        return log_url(self.host, namespace, password)


def init_namespace(client: Client, system: Client | None) -> list[str]:
    """What was done, line by line. `system` looks at the namespace of HeartOps itself; None: no prediction log.

    A row key that is there stays: another one would make every stored row hash useless.
    """
    database = find_database(system) if system else None
    kept, wanted = read_secret(client, RUNTIME_SECRET), {Env.ROW_KEY: new_key()}
    done: list[str] = []
    if system and database:
        wanted[Env.DATABASE_URL], done = join_log(system, database, client.namespace, kept.get(Env.DATABASE_URL, ""))
    elif system:
        done = [f"Namespace {system.namespace} has no HeartOps database: the prediction log was not set up"]
    return [*done, add_keys(client, RUNTIME_SECRET, kept, wanted)]


def find_database(system: Client) -> LogDatabase | None:
    """None where the chart brought no database."""
    try:
        found = system.list(CRON_JOB, labelSelector=DATABASE_JOBS)
    except ApiFailure as error:
        if error.status != 403:
            raise
        raise Failure(
            f"{error}. Setting up the prediction log requires administrator permissions; --no-log skips it"
        ) from None
    return parse_database(found[0]) if found else None


def parse_database(cron_job: Manifest) -> LogDatabase:
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    variables = {entry["name"]: entry.get("value", "") for entry in pod["containers"][0]["env"]}
    host = urlsplit(variables[Env.DATABASE_URL]).netloc.rpartition("@")[2]
    mounted = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
    return LogDatabase(host, mounted[0], cron_job)


def join_log(system: Client, database: LogDatabase, namespace: str, url: str) -> tuple[str, list[str]]:
    """The namespace's address of the log, and what was done for it; `url` is the one that it has already, or empty."""
    if len(namespace) > LONGEST_NAMESPACE:
        raise Failure(f"A namespace with a prediction log has a name of at most {LONGEST_NAMESPACE} characters")
    kept = read_secret(system, database.passwords)
    password = kept.get(namespace) or urlsplit(url).password or new_password()
    if url and namespace in kept:
        return url, []
    words = add_keys(system, database.passwords, kept, {namespace: password})
    return database.url(namespace, password), [words, start_job(system, database)]


def start_job(system: Client, database: LogDatabase) -> str:
    """Run the CronJob's Job now, as `kubectl create job --from` does."""
    meta, template = database.cron_job["metadata"], database.cron_job["spec"]["jobTemplate"]
    labels = template.get("metadata", {}).get("labels", {})
    job = {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": {"generateName": f"{meta['name']}-", "labels": labels},
        "spec": template["spec"],
    }
    name = system.call("POST", JOB.path(system.namespace), body=job)["metadata"]["name"]
    return f"Job {name} in namespace {system.namespace} creates the role and the tables of the prediction log"


def read_secret(client: Client, name: str) -> dict[str, str]:
    """Its keys; none where there is no such Secret."""
    try:
        data = client.get(SECRET, name).get("data") or {}
    except ApiFailure as error:
        if error.status == 404:
            return {}
        raise
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def add_keys(client: Client, name: str, kept: dict[str, str], wanted: dict[str, str]) -> str:
    """Create the Secret, or add the keys that it lacks; those that it has stay."""
    missing = {key: value for key, value in wanted.items() if key not in kept}
    where = f"the Secret {name} in namespace {client.namespace}"
    if not missing:
        return f"Unchanged: {where} has {' and '.join(wanted)}"
    if kept:
        body: dict[str, Any] = {"stringData": missing}
        path = SECRET.path(client.namespace, name)
        client.call("PATCH", path, body=body, media="application/merge-patch+json")
    else:
        body = {"metadata": {"name": name, "labels": {Label.PART_OF: PART_OF}}, "type": "Opaque", "stringData": missing}
        client.call("POST", SECRET.path(client.namespace), body=body)
    return f"Added {' and '.join(missing)} to {where}"
