"""Reads, as the user, what keeps HeartOps' own Jobs and Deployments from running."""

from datetime import UTC, datetime

from heart_api.kube.blocked import find_blocked, unexplained
from heart_api.kube.deployments import is_ready
from heart_api.kube.installation import SELECTOR, BlockedComponent, explain_component, failed_jobs, selector_of
from heart_api.kube.jobs import is_waiting
from heart_api.kube.kinds import DEPLOYMENT, EVENT, JOB, POD, Kind
from heart_api.kube.values import Manifest
from heart_cli.client import Client
from heart_cli.errors import ApiFailure


def read_blocked(system: Client) -> list[BlockedComponent]:
    """What of the installation in the client's namespace cannot run, Jobs first.

    Raises ApiFailure, with status 403 if the user may not read Jobs, Deployments, pods or events there.
    """
    return [*blocked_jobs(system), *blocked_deployments(system)]


def blocked_jobs(system: Client) -> list[BlockedComponent]:
    """Jobs that make Secrets or prepare the prediction log, and cannot start or have failed for good."""
    jobs = system.list(JOB, labelSelector=SELECTOR)
    found = failed_jobs(JOB, jobs)
    for job in filter(is_waiting, jobs):
        found += _explain(system, JOB, job, f"batch.kubernetes.io/job-name={job['metadata']['name']}")
    return found


def blocked_deployments(system: Client) -> list[BlockedComponent]:
    """Deployments with too few ready pods, and a reason why."""
    found: list[BlockedComponent] = []
    for item in system.list(DEPLOYMENT, labelSelector=SELECTOR):
        if not is_ready(item):
            found += _explain(system, DEPLOYMENT, item, selector_of(item))
    return found


def texts_for(client: Client, system_namespace: str) -> tuple[str, ...]:
    """One line for each; empty for a user who may not read the installation's namespace.

    Such a user learns the same from the conditions of a model that the installation holds up.
    """
    try:
        found = read_blocked(client.elsewhere(system_namespace))
    except ApiFailure as error:
        if error.status == 403:
            return ()
        raise
    return tuple(f"{system_namespace}: {entry}" for entry in found)


def _explain(system: Client, kind: Kind, item: Manifest, selector: str) -> list[BlockedComponent]:
    pods = system.list(POD, labelSelector=selector)
    return explain_component(kind, item, pods, _read_events(system, item, pods), datetime.now(UTC))


def _read_events(system: Client, item: Manifest, pods: list[Manifest]) -> list[Manifest]:
    """Those of the item where it has no pod, else of its oldest pod that is not ready; none where pods say why."""
    waiting = unexplained(pods)
    if find_blocked(item, pods) or (pods and not waiting):
        return []
    about = waiting[0] if waiting else item["metadata"]["uid"]
    return system.list(EVENT, fieldSelector=f"involvedObject.uid={about}")
