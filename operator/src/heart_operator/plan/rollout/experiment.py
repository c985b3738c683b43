"""What an A/B experiment says of the candidate, and what follows from it."""

from datetime import datetime, timedelta

from heart_api.durations import seconds
from heart_api.experiment import Experiment
from heart_api.heartmodel import CandidateStatus
from heart_api.status import ArmStatus, ExperimentStatus
from heart_api.times import read, written
from heart_operator.plan.analysis.counts import Share
from heart_operator.plan.analysis.experiment import Bounds, Sums, bounds_of, compare, describe_arm
from heart_operator.plan.observed import Arms, Observed

SHARES = ("Accuracy", "ErrorRate")
"""Metrics between 0 and 1, which are told in percent. A mean outcome may be one or not."""
UNDECIDED = ("NoDifference", "TimeUp")
"""Verdicts after which `onInconclusive` says what follows."""
RESULTS = {
    "Better": "the candidate is better",
    "Worse": "the candidate is worse",
    "NoDifference": "no difference as large as minDetectable",
    "TimeUp": "undecided after its duration",
}


def begun(status: CandidateStatus, now: datetime) -> CandidateStatus:
    """From now on requests and their outcomes count; of an experiment that has begun, nothing changes."""
    if status.experiment:
        return status
    return status.model_copy(update={"experiment": ExperimentStatus(since=written(now))})


def experiment_end(experiment: Experiment, status: CandidateStatus) -> datetime | None:
    """None: it has not begun."""
    if status.experiment is None:
        return None
    return read(status.experiment.since) + timedelta(seconds=seconds(experiment.duration))


def with_experiment(observed: Observed, status: CandidateStatus, now: datetime) -> CandidateStatus:
    """The candidate's status with what is known of both groups by now."""
    experiment, before = observed.model.spec.rollout.experiment, status.experiment
    if experiment is None or before is None:
        return status
    sample = observed.sample
    arms = sample.arms if sample and sample.error is None else Arms()
    stable, candidate = gather(experiment, before, arms)
    found = compare(stable, candidate, experiment.min_detectable, is_share=is_share(experiment, stable, candidate))
    changes = {
        "stable": arm(experiment, stable),
        "candidate": arm(experiment, candidate),
        "difference": found.value if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "verdict": judge(experiment, before, found, now),
    }
    return status.model_copy(update={"experiment": before.model_copy(update=changes)})


def gather(experiment: Experiment, before: ExperimentStatus, arms: Arms) -> tuple[Sums, Sums]:
    """Both groups. Requests are counted from interval to interval; outcomes come as they are known by now, and stay as
    they were while nobody knows."""
    stable, candidate = Sums.load(before.stable), Sums.load(before.candidate)
    if experiment.metric == "ErrorRate":
        return stable + sums_of(arms.stable_requests), candidate + sums_of(arms.candidate_requests)
    return arms.stable_outcomes or stable, arms.candidate_outcomes or candidate


def sums_of(share: Share) -> Sums:
    return Sums(share.n, share.bad, share.bad)


def is_share(experiment: Experiment, stable: Sums, candidate: Sums) -> bool:
    """Of zeros and ones: then each outcome is its own square."""
    both = stable + candidate
    return experiment.metric in SHARES or both.total == both.squares


def arm(experiment: Experiment, group: Sums) -> ArmStatus:
    """As the status tells it."""
    found = bounds_of(group, experiment.min_detectable, is_share=is_share(experiment, group, Sums()))
    figures = {"mean": found.value, "low": found.low, "high": found.high} if found else {}
    return ArmStatus(count=group.count, total=group.total, squares=group.squares, **figures)


def judge(experiment: Experiment, before: ExperimentStatus, found: Bounds | None, now: datetime) -> str:
    """What was decided stays: users are told apart no longer for the sake of the experiment."""
    if before.verdict != "Running":
        return before.verdict
    if found:
        up = 1 if is_better_up(experiment) else -1
        low, high = sorted((up * found.low, up * found.high))
        if low > 0:
            return "Better"
        if high < 0:
            return "Worse"
        if -experiment.min_detectable < low and high < experiment.min_detectable:
            return "NoDifference"
    return "TimeUp" if now >= read(before.since) + timedelta(seconds=seconds(experiment.duration)) else "Running"


def is_better_up(experiment: Experiment) -> bool:
    if experiment.metric == "MeanOutcome":
        return experiment.goal == "Maximize"
    return experiment.metric == "Accuracy"


def is_won(experiment: Experiment, status: CandidateStatus) -> bool:
    """The candidate may take over: by its outcomes, and while its answers do not fail."""
    if status.experiment is None or status.analysis is None or status.analysis.verdict == "Failed":
        return False
    undecided = status.experiment.verdict in UNDECIDED
    return status.experiment.verdict == "Better" or (undecided and experiment.on_inconclusive == "Promote")


def why_lost(experiment: Experiment, status: CandidateStatus) -> str:
    """Why it is rejected; empty: it is not."""
    if status.experiment is None or status.forced:
        return ""
    undecided = status.experiment.verdict in UNDECIDED
    lost = status.experiment.verdict == "Worse" or (undecided and experiment.on_inconclusive == "Rollback")
    return describe(experiment, status) if lost else ""


def describe(experiment: Experiment, status: CandidateStatus) -> str:
    """`experiment (Accuracy): the candidate has 81.00% of 900, the stable version 78.00% of 910; difference …`."""
    found = status.experiment
    if found is None:
        return "experiment: waiting for its first users"
    stable, candidate = Sums.load(found.stable), Sums.load(found.candidate)
    both = is_share(experiment, stable, candidate)
    text = (
        f"experiment ({experiment.metric}): the candidate has {describe_arm(candidate, is_share=both)},"
        f" the stable version {describe_arm(stable, is_share=both)}"
    )
    if found.low is not None and found.high is not None and found.difference is not None:
        form = "{:+.2%}" if both else "{:+.4g}"
        value, low, high = (form.format(each) for each in (found.difference, found.low, found.high))
        text += f"; difference {value} (between {low} and {high})"
    result = RESULTS.get(found.verdict)
    return f"{text}: {result}" if result else f"{text}: not decided yet"
