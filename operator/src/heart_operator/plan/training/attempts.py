"""Trainings on several pods: one that is lost ends all of them, and the next attempt is another Job."""

from collections.abc import Iterable

from heart_operator.plan.observed import TrainingJob


def latest_attempt(jobs: Iterable[TrainingJob], trigger: str) -> TrainingJob | None:
    """The Job of a trigger that counts; None if there is none."""
    found = [job for job in jobs if job.trigger == trigger]
    return max(found, key=lambda job: (job.attempt, job.created), default=None)


def another_attempt(job: TrainingJob, limit: int) -> int | None:
    """Number of the attempt that follows this one; None: it runs, it is final, or `limit` retries are used up."""
    return job.attempt + 1 if job.lost and job.attempt < limit else None
