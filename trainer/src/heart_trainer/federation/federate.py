"""A study over sites: every exchange of heart_trainer.sums asked of all of them, the same from first to last.

A site that is lost in the middle leaves sums that no longer belong together. With Continue the study begins again
without it; with Hold the training fails, and says which site it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from heart_api.federation import FederatedTrainingRequest, SiteFailure
from heart_api.handover import FailureReason, SiteResult
from heart_trainer.errors import TrainerError
from heart_trainer.federation.exchange import Clock, Fleet, Rules, Site, exchange
from heart_trainer.federation.messages import Ask, Joined, Kind, encode, refusal
from heart_trainer.federation.plausibility import Known, read_sums, told
from heart_trainer.sums.additive import StatisticRejected, Sums, total
from heart_trainer.sums.describe import DescribeRequest
from heart_trainer.sums.driver import Choosing, Request, Trained, start, step
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.forests import Grown
from heart_trainer.sums.requests import encode as encode_request
from heart_trainer.sums.scores import ScoreRequest
from heart_trainer.sums.spread import spread
from heart_trainer.sums.study import Study
from heart_trainer.sums.union import GrowRequest, from_bytes, join

T = TypeVar("T")
END_SECONDS = 15.0
"""How long the coordinator says goodbye."""
PERMANENT = ("SiteRefused", "ContractMismatch")
OF_THE_CONTRACT = ("ContractMismatch",)


class SitesFailed(TrainerError):
    """The federation cannot train; `sites`: how each of them was left."""

    def __init__(self, reason: FailureReason, message: str, sites: Sequence[SiteResult]) -> None:
        super().__init__(reason, message, permanent=reason in PERMANENT)
        self.sites = tuple(sites)


class SitesLost(Exception):
    """Sites were dropped in the middle of a study: it begins again with the rest."""


@dataclass
class Federation:
    """The sites of one training and what they said. `report` is called whenever something changed."""

    request: FederatedTrainingRequest
    fleet: Fleet
    clock: Clock
    sites: list[Site]
    report: Callable[[str], None] = lambda step: None
    joined: dict[str, Joined] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    dropped: list[Site] = field(default_factory=list)
    exchanges: int = 0

    @property
    def results(self) -> tuple[SiteResult, ...]:
        everyone = sorted([*self.sites, *self.dropped], key=lambda site: site.title)
        return tuple(site.result() for site in everyone)

    @property
    def names(self) -> dict[str, str]:
        """What a site is called in figures, by its title: its name, or the title where two share a name."""
        names = [site.name for site in self.sites]
        return {site.title: site.name if names.count(site.name) == 1 else site.title for site in self.sites}

    def join(self) -> None:
        """Waits for the sites. Raises SitesFailed."""
        try:
            found = self._ask("join", lambda site, data: self._take_join(site, data))
        except SitesLost:
            found = {}
        self._check_alike()
        self.report(f"{len(self.sites)} sites joined" if found or self.sites else "no site joined")

    def _take_join(self, site: Site, data: bytes) -> SiteFailure | None:
        problem, joined, _ = told(data)
        if problem or joined is None:
            return problem or refusal("SiteRefused", "its answer is not believed: it does not say who it is")
        self.joined[site.title], self.known[site.title] = joined, Known(joined.rows)
        return None

    def _check_alike(self) -> None:
        """Raises SitesFailed where sites have other classes of the target than the first."""
        self.sites = [replace(site, rows=self.joined[site.title].rows) for site in self.sites]
        kinds = {title: (one.task, one.classes) for title, one in self.joined.items() if title in self.known}
        if len(set(kinds.values())) > 1:
            said = "; ".join(
                f"{title}: {', '.join(map(str, classes))}" for title, (_, classes) in sorted(kinds.items())
            )
            message = f"the sites have different classes of {self.request.target.name} ({said}): name them in labels"
            raise SitesFailed("ContractMismatch", message, self.results)

    def sum(self, request: Request) -> dict[str, Sums]:
        """Each site's answer, by title. Raises SitesLost or SitesFailed."""
        found: dict[str, Sums] = {}

        def take(site: Site, data: bytes) -> SiteFailure | None:
            problem, _, body = told(data)
            if problem:
                return problem
            try:
                found[site.title] = self._as_rows(request, site, read_sums(request, body, self.known[site.title]))
            except StatisticRejected as error:
                return refusal("SiteRefused", f"its answer is not believed: {error}")
            return None

        self._ask("sums", take, encode_request(request))
        if isinstance(request, DescribeRequest):
            for title, sums in found.items():
                self.known[title] = replace(self.known[title], parts=tuple(sums["rows"].tolist()))
        return {site.title: found[site.title] for site in self.sites}

    def _as_rows(self, request: Request, site: Site, sums: Sums) -> Sums:
        """Score tables without the site's cells; everything else as it is."""
        cells = {f"{ref.namespace}/{ref.name}": ref.minimum_cell for ref in self.request.sites}
        scores = isinstance(request, ScoreRequest | EvaluationRequest) and request.scale is None
        return spread(sums) if scores and cells[site.title] > 1 else sums

    def grow(self, request: GrowRequest) -> list[Grown]:
        """A forest of all sites' trees for each set. Raises SitesLost or SitesFailed."""
        found: dict[str, list[Grown]] = {}

        def take(site: Site, data: bytes) -> SiteFailure | None:
            problem, _, body = told(data)
            if problem:
                return problem
            try:
                found[site.title] = from_bytes(body, request.preparations[0].columns, len(request.sets))
            except StatisticRejected as error:
                return refusal("SiteRefused", f"its answer is not believed: {error}")
            return None

        self._ask("trees", take, request.dump())
        own = [found[site.title] for site in self.sites]
        return [join([forests[number] for forests in own]) for number in range(len(request.sets))]

    def _ask(
        self, kind: Kind, take: Callable[[Site, bytes], SiteFailure | None], body: bytes = b""
    ) -> Mapping[str, bytes]:
        rules = Rules(self.request.round_deadline_seconds, self.request.on_missing_site)
        found = exchange(self.fleet, self.sites, encode(self._head(kind), body), rules, self.clock, take)
        self.exchanges += 1
        self._sort_out(found.sites, found.answers)
        return found.answers

    def _head(self, kind: Kind) -> Ask:
        request = self.request
        return Ask(
            kind=kind,
            model=f"{request.namespace}/{request.name}",
            trigger=request.trigger,
            contract_sha256=request.contract_sha256,
            folds_key=folds_key(request),
        )

    def _sort_out(self, sites: Sequence[Site], answers: Mapping[str, bytes]) -> None:
        """Raises SitesFailed or SitesLost where a site did not answer."""
        lost = [site for site in sites if site.title not in answers]
        self.sites = [site for site in sites if site.title in answers]
        self.dropped += lost
        if not lost:
            return
        for site in lost:
            self.report(f"site {site.title}: {site.refused.message if site.refused else site.state}")
        if self.request.on_missing_site == "Hold":
            raise SitesFailed(*_blame(lost), self.results)
        if len(self.sites) < self.request.min_sites:
            left = f"{len(self.sites)} sites are left, spec.federation.minSites is {self.request.min_sites}"
            raise SitesFailed("TooFewSites", f"{left}: {_named(self.dropped)}", self.results)
        raise SitesLost

    def end(self) -> None:
        """Tells the sites that it is over; who does not hear it ends by itself."""
        before = {site.title: site for site in self.sites}
        rules = Rules(END_SECONDS, "Continue")
        exchange(self.fleet, self.sites, encode(self._head("end")), rules, self.clock, lambda site, data: None)
        self.sites = [replace(site, state="Completed") for site in before.values()]


def folds_key(request: FederatedTrainingRequest) -> str:
    """Of the hash that deals rows to folds: the same in every training of the model, so that a version and the one
    before it judge each row by models that did not learn from it."""
    return f"{request.namespace}/{request.name}/{request.training.seed}"


@dataclass(frozen=True)
class Studied:
    """A study's end: `answers` to its evaluation by site, `scores` of its search (None where nothing was chosen)."""

    trained: Trained
    answers: dict[str, Sums]
    scores: Sums | None = None


def run_study(study: Study, federation: Federation) -> tuple[Trained, dict[str, Sums]]:
    """The study, and each site's answer to its evaluation. Raises SitesFailed, or what `step` raises."""
    found = with_the_rest(lambda: attempt(study, federation), federation)
    return found.trained, found.answers


def with_the_rest(work: Callable[[], T], federation: Federation) -> T:
    """`work` from its beginning until no site is lost in it. Raises SitesFailed."""
    while True:
        try:
            return work()
        except SitesLost:
            federation.report(f"the study begins again with {len(federation.sites)} sites")


def attempt(study: Study, federation: Federation) -> Studied:
    """Raises SitesLost or SitesFailed."""
    following: Any = start(study)
    answers: dict[str, Sums] = {}
    scores: Sums | None = None
    while not isinstance(following, Trained):
        state, request = following
        answers = federation.sum(request)
        federation.report(f"exchange {state.exchanges} done")
        summed = total(request.schema(), answers.values())
        scores = summed if isinstance(state, Choosing) else scores
        following = step(state, summed)
    return Studied(following, answers, scores)


def _blame(lost: Sequence[Site]) -> tuple[FailureReason, str]:
    reasons = {site.refused.reason for site in lost if site.refused}
    refused = [site for site in lost if site.state == "Refused"]
    if refused and reasons <= set(OF_THE_CONTRACT):
        return "ContractMismatch", _named(lost)
    return ("SiteRefused" if len(refused) == len(lost) else "SiteMissing"), _named(lost)


def _named(lost: Sequence[Site]) -> str:
    return "; ".join(f"site {site.title}: {site.refused.message if site.refused else site.state}" for site in lost)
