"""The shares of the answers that an analysis tests, and the state of the bets on each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil, log
from typing import Literal

from heart_api.durations import seconds
from heart_api.heartmodel import Analysis
from heart_operator.plan.analysis.counts import Counts, Share
from heart_operator.plan.analysis.sequential_test import (
    BETTER,
    WORSE,
    Odds,
    Wealth,
    bet,
    gain,
    stake_for,
    total,
    twice,
)

FALSE_ALARM = 0.004
"""Probability that a check ever fails a good version; five checks make 2%."""
FALSE_PRAISE = 0.05
"""Chance that a check ever calls a version good that is twice as bad as allowed."""
RESERVE = 2.0
"""A bet may hold e^2 times what its verdict needs: a little bad luck changes none, and a turn of things soon does."""
SLOW_SHARE = 0.05
"""What a 95th percentile leaves."""

Verdict = Literal["Passed", "Failed", "Inconclusive"]
Evidence = Mapping[str, Wealth]
"""Wealth of each bet, by `check/claim`."""


@dataclass(frozen=True, slots=True)
class ShareCheck:
    """A share of the answers that must not exceed a limit, or the stable version's own where that is higher."""

    name: str
    noun: str
    """What the counted answers did: `were answered with 5xx`."""
    limit: float
    measure: Callable[[Counts], Share]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's verdict and what it rests on."""

    name: str
    verdict: Verdict
    message: str


def share_checks(spec: Analysis) -> tuple[ShareCheck, ...]:
    """Invalid requests have the error rate's limit as well: to a client a changed contract is an error."""
    invalid = ShareCheck("invalid requests", "were rejected with 422", spec.max_error_rate, invalid_requests)
    return error_check(spec.max_error_rate), invalid, latency_check(spec.max_latency_p95)


def error_check(limit: float) -> ShareCheck:
    return ShareCheck("errors", "were answered with 5xx", limit, errors)


def latency_check(limit: str) -> ShareCheck:
    slower = partial(Counts.slower_than, limit=seconds(limit))
    return ShareCheck("latency", f"took longer than {limit}", SLOW_SHARE, slower)


def errors(counts: Counts) -> Share:
    return Share(counts.errors, counts.requests)


def invalid_requests(counts: Counts) -> Share:
    return Share(counts.invalid, counts.requests)


# --- betting -------------------------------------------------------------------------------------


def weigh(
    check: ShareCheck, evidence: Evidence, past: int, candidate: Counts, stable: Counts | None = None
) -> Evidence:
    """The check's bets after one more interval; `past`: answers of the candidate that earlier intervals measured.

    Without `stable` there is nothing to compare with, and nothing to pass: only the limit is bet against.
    """
    mine = check.measure(candidate)
    if mine.n == 0:
        return {}
    against = {"overLimit": (WORSE, mine.n, check.limit)}
    if stable is not None:
        its = check.measure(stable)
        failures, part = mine.bad + its.bad, mine.n / (mine.n + its.n)
        against["overStable"] = (WORSE, failures, part)
        against["underLimit"] = (BETTER, mine.n, twice(check.limit))
        against["underStable"] = (BETTER, failures, twice(part))
    found = {}
    for claim, (odds, n, p) in against.items():
        key = f"{check.name}/{claim}"
        before = evidence.get(key, ())
        known = before if len(before) == len(odds) else ()
        stake = stake_for(past, past + mine.n) if odds is WORSE else float(not known)
        found[key] = bet(known, odds, mine.bad, n, p, stake=stake, most=most(odds))
    return found


def most(odds: Odds) -> float:
    """What a bet may hold."""
    return log(1 / (FALSE_ALARM if odds is WORSE else FALSE_PRAISE)) + RESERVE


def is_worse(check: ShareCheck, evidence: Evidence, *, compared: bool = True) -> bool:
    """Worse than the limit and, where it is `compared`, than the stable version."""
    claims = ("overLimit", "overStable") if compared else ("overLimit",)
    return all(held(evidence, check, claim) >= log(1 / FALSE_ALARM) for claim in claims)


def is_good(check: ShareCheck, evidence: Evidence) -> bool:
    return lacking(check, evidence) <= 0


def lacking(check: ShareCheck, evidence: Evidence) -> float:
    """Growth of the better of the two bets on "less than twice as bad"; each holds half of the stake."""
    best = max(held(evidence, check, "underLimit"), held(evidence, check, "underStable"))
    return log(2 / FALSE_PRAISE) - best


def held(evidence: Evidence, check: ShareCheck, claim: str) -> float:
    return total(evidence.get(f"{check.name}/{claim}", ()))


# --- verdicts ------------------------------------------------------------------------------------


def judge_share(
    check: ShareCheck, evidence: Evidence, stable: Counts, candidate: Counts, newest: Counts
) -> CheckResult:
    """`stable` and `candidate`: all counts so far; `newest`: the candidate's since the last interval."""
    mine, its = check.measure(candidate), check.measure(stable)
    if mine.n == 0:
        return CheckResult(check.name, "Inconclusive", "the candidate has not served any requests yet")
    said = f"{check.name}: {describe_share(check, mine)}, {check.limit:.2%} allowed"
    said += f", the stable version has {its.rate:.2%} of {its.n}" if its.n else ""
    if is_worse(check, evidence, compared=its.n > 0):
        return CheckResult(check.name, "Failed", f"{said}, {lately(check.measure(newest))}")
    if is_good(check, evidence):
        return CheckResult(check.name, "Passed", said)
    return CheckResult(check.name, "Inconclusive", f"{said}: {more(check, evidence, mine)}")


def describe_share(check: ShareCheck, share: Share) -> str:
    """`2.10% of 430 were answered with 5xx`."""
    return f"{share.rate:.2%} of {share.n} {check.noun}"


def lately(share: Share) -> str:
    """A version that breaks after a good hour is bad now, and still good on the whole."""
    return f"in the latest interval {share.rate:.2%} of {share.n}"


def more(check: ShareCheck, evidence: Evidence, share: Share) -> str:
    """What is missing for a verdict."""
    if share.rate > check.limit:
        return "more requests are needed for a verdict"
    growth = gain(BETTER[-1], 0, 1, twice(check.limit))
    return f"about {ceil(lacking(check, evidence) / growth)} more without a failure are needed"
