"""Attempts at the check of a site's data: one that ended without an answer is made again, a few times.

Each attempt is a Job of its own, whose name says which: nothing else has to be remembered.
"""

from datetime import datetime, timedelta

from heart_api.federation import PASSING
from heart_api.federationsite import FederationSite
from heart_api.names import site_check_job_name
from heart_operator.plan.federation.observed import SiteCheckJob, SiteObserved

WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
"""From the end of an attempt to the next one. After the last a person has to act."""
ATTEMPTS = len(WAITS) + 1


def attempt_names(site: FederationSite, trigger: str) -> tuple[str, ...]:
    """Names of the Jobs of a check, from the first attempt to the last."""
    return tuple(site_check_job_name(site.name, site.uid, trigger, attempt) for attempt in range(ATTEMPTS))


def attempt_of(site: FederationSite, trigger: str, name: str) -> int:
    """Which attempt the Job of this name is, from 0; the first for any other name."""
    names = attempt_names(site, trigger)
    return names.index(name) if name in names else 0


def latest_attempt(observed: SiteObserved, trigger: str) -> SiteCheckJob | None:
    """The Job of a check that counts; None if there is none."""
    found = [job for job in observed.checks if job.trigger == trigger]
    return max(found, key=lambda job: (attempt_of(observed.site, trigger, job.name), job.created), default=None)


def name_after(site: FederationSite, trigger: str, name: str) -> str:
    """The Job of the attempt that follows this one; the last one's own name for the last."""
    return attempt_names(site, trigger)[min(attempt_of(site, trigger, name) + 1, ATTEMPTS - 1)]


def may_pass(job: SiteCheckJob) -> bool:
    """Whether another attempt may mend what ended this one: pods that were lost or could not start, a data source that
    does not answer."""
    return job.failure is None or job.failure.reason in PASSING


def next_attempt(job: SiteCheckJob, attempt: int) -> datetime | None:
    """When a check whose Job ended without an answer is tried again; None: it is not."""
    return (job.finished or job.created) + WAITS[attempt] if may_pass(job) and attempt < len(WAITS) else None
