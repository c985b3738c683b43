"""The candidate's share of the traffic, and the pods that it needs.

Without a Gateway the Service selects the pods of both versions, so that their numbers split the traffic: one pod in
four is 25%, whatever weight was set. With a Gateway, an HTTPRoute splits it exactly.
"""

from math import ceil

from heart_api.heartmodel import Rollout


def asked_weight(rollout: Rollout, step: int) -> int:
    """The weight that the steps up to and including `step` set, in percent."""
    asked = [entry.set_weight for entry in rollout.steps[: step + 1] if entry.set_weight is not None]
    return asked[-1] if asked else 0


def pods_for(rollout: Rollout, weight: int, full: int, *, exact: bool) -> int:
    """Pods of a candidate at `weight` percent, when `full` pods carry all of the traffic; at least one, at most `full`.

    By replica ratio the stable version keeps its pods, so that going back needs none to start: half is the most that
    the candidate can reach before it takes over.
    """
    share = weight / 100
    by_weight = full * share if exact else full * share / (1 - share)
    by_mirror = full * rollout.mirror.percent / 100
    wanted = ceil(by_weight) if exact else round(by_weight)
    return max(1, min(full, max(wanted, ceil(by_mirror))))


def reached_weight(weight: int, candidate: int, stable: int, *, exact: bool) -> int:
    """Percentage that `candidate` ready pods beside `stable` ready ones get."""
    if weight == 0 or candidate == 0:
        return 0
    return weight if exact else round(100 * candidate / (candidate + stable))
