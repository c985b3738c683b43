"""The chart's prediction log for an administrator: its CronJob, the logins' Secret, and whom a login was made for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from heart_api.handover import Env
from heart_api.kube.kinds import JOB, SECRET, Kind
from heart_api.kube.values import Manifest
from heart_api.names import GROUP, PART_OF, Label
from heart_cli.client import Client
from heart_cli.errors import ApiFailure, Failure
from heart_cli.secretkeys import patch_secret

CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
DATABASE_JOBS = f"{Label.PART_OF}={PART_OF},{Label.COMPONENT}=log-database"
NAMESPACES = f"{GROUP}/namespaces"
"""Annotation of the logins' Secret: JSON, namespace → its uid when the login was made."""


@dataclass(frozen=True, slots=True)
class LogDatabase:
    """The chart's prediction log, as its suspended CronJob describes it."""

    host: str
    """host:port"""
    passwords: str
    """Secret with a password for each namespace."""
    cron_job: Manifest


def find_database(system: Client) -> LogDatabase | None:
    """The chart's database; None if the chart installed none. Raises Failure if the user may not read it."""
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


def start_job(system: Client, database: LogDatabase, command: Sequence[str] = ()) -> str:
    """Run the CronJob's Job now, as `kubectl create job --from` does, or another command in its place; its name."""
    meta, template = database.cron_job["metadata"], database.cron_job["spec"]["jobTemplate"]
    spec = json.loads(json.dumps(template["spec"]))
    if command:
        container = spec["template"]["spec"]["containers"][0]
        container |= {"command": ["python3", "-m", "heart_log"], "args": list(command)}
    job = {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": {"generateName": f"{meta['name']}-", "labels": template.get("metadata", {}).get("labels", {})},
        "spec": spec,
    }
    return name_of(system.write("POST", JOB.path(system.namespace), job))


def name_of(made: Manifest) -> str:
    """Of what was created; of what a dry run did not send, the part that is known."""
    metadata = made["metadata"]
    return str(metadata.get("name") or f"{metadata['generateName']}…")


def recorded_uids(system: Client, database: LogDatabase) -> dict[str, str]:
    """Namespace → the uid that it had when its login was made; a login of an earlier release has none."""
    try:
        found = system.get(SECRET, database.passwords)
    except ApiFailure as error:
        if error.status == 404:
            return {}
        raise
    uids: dict[str, str] = json.loads(found["metadata"].get("annotations", {}).get(NAMESPACES, "{}"))
    return uids


def record_uids(system: Client, database: LogDatabase, uids: dict[str, str]) -> None:
    patch_secret(system, database.passwords, {"metadata": {"annotations": {NAMESPACES: json.dumps(uids)}}})
