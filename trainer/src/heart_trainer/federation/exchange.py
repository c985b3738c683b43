"""One request to all sites, and what becomes of those that do not answer. The carrier stands outside, as a Fleet.

A request has a deadline of its own: Flower waits for an answer without end. A site that sends no heartbeat for about a
minute is Offline; one that comes back within the deadline is asked again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from heart_api.federation import OnMissingSite, SiteFailure
from heart_api.handover import SiteResult, SiteState
from heart_trainer.federation.messages import refusal

POLL_SECONDS = 1.0
OFFLINE_GRACE = 5.0
"""A site that restarts is not seen for moments."""


@dataclass(frozen=True)
class Seen:
    """`since`: changes whenever the site connects anew."""

    since: str
    online: bool


@dataclass(frozen=True)
class Reply:
    """`body` is None where the carrier says itself that there is no answer, and why."""

    message: str
    body: bytes | None
    problem: str = ""


class Fleet(Protocol):
    """The carrier: messages to nodes and back."""

    def send(self, node: int, body: bytes, seconds: float) -> str: ...
    def receive(self, messages: Sequence[str]) -> list[Reply]: ...
    def seen(self) -> dict[int, Seen]: ...


@dataclass(frozen=True)
class Site:
    """What the coordinator knows of a site."""

    namespace: str
    name: str
    node: int
    state: SiteState = "Waiting"
    rows: int = 0
    exchanges: int = 0
    seconds: float = 0.0
    received_bytes: int = 0
    last_seen: str | None = None
    refused: SiteFailure | None = None

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.name}"

    def result(self) -> SiteResult:
        return SiteResult(
            namespace=self.namespace,
            name=self.name,
            state=self.state,
            rows=self.rows,
            exchanges=self.exchanges,
            seconds=round(self.seconds, 1),
            received_bytes=self.received_bytes,
            last_seen=self.last_seen,
            message=self.refused.message[:200] if self.refused else "",
        )


class Clock(Protocol):
    def now(self) -> float: ...
    def wait(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Rules:
    """`deadline`: seconds for each exchange."""

    deadline: float
    on_missing: OnMissingSite


@dataclass
class _Asked:
    """An open question: by message, since when, and to which connection of the site."""

    site: Site
    message: str
    since: str
    at: float


@dataclass(frozen=True)
class Answered:
    """What came of an exchange: the sites as they are now, and the answers of those that gave one, by title."""

    sites: tuple[Site, ...]
    answers: Mapping[str, bytes] = field(default_factory=dict)


def exchange(
    fleet: Fleet,
    sites: Sequence[Site],
    body: bytes,
    rules: Rules,
    clock: Clock,
    check: Callable[[Site, bytes], SiteFailure | None],
) -> Answered:
    """Asks all sites at once; returns when each has answered, refused, or is missing by the rules.

    `check`: why an answer is not believed, or None. With Continue a site is given up as soon as it is Offline; with
    Hold it is waited for until the deadline.
    """
    return _Exchange(fleet, sites, body, rules, clock, check).run()


class _Exchange:
    def __init__(
        self,
        fleet: Fleet,
        sites: Sequence[Site],
        body: bytes,
        rules: Rules,
        clock: Clock,
        check: Callable[[Site, bytes], SiteFailure | None],
    ) -> None:
        self.fleet, self.body, self.rules, self.clock, self.check = fleet, body, rules, clock, check
        self.sites = {site.node: site for site in sites}
        self.open: dict[int, _Asked | None] = {site.node: None for site in sites}
        self.answers: dict[str, bytes] = {}
        self.start = clock.now()
        self.met: set[int] = set()
        self.gone: dict[int, float] = {}

    def run(self) -> Answered:
        while self.open:
            seen = self.fleet.seen()
            for node in list(self.open):
                self._ask(node, seen.get(node))
            self._hear()
            self._give_up(seen)
            if self.open:
                self.clock.wait(POLL_SECONDS)
        return Answered(tuple(self.sites.values()), self.answers)

    def _ask(self, node: int, seen: Seen | None) -> None:
        """Once for each connection: what a site had fetched when it died is lost."""
        asked = self.open[node]
        if seen is None or not seen.online or (asked and asked.since == seen.since):
            return
        left = max(self.start + self.rules.deadline - self.clock.now(), 1.0)
        self.open[node] = _Asked(self.sites[node], self.fleet.send(node, self.body, left), seen.since, self.clock.now())

    def _hear(self) -> None:
        waiting = {asked.message: node for node, asked in self.open.items() if asked}
        for reply in self.fleet.receive(list(waiting)):
            if reply.message in waiting:
                self._take(waiting[reply.message], reply)

    def _take(self, node: int, reply: Reply) -> None:
        site, asked = self.sites[node], self.open[node]
        assert asked  # its reply has come
        if reply.body is None:
            self.open[node] = None  # the carrier lost it: ask again while there is time
            return
        problem = self.check(site, reply.body)
        heard = replace(
            site,
            state="Refused" if problem else "Active",
            seconds=site.seconds + self.clock.now() - asked.at,
            received_bytes=site.received_bytes + len(reply.body),
            exchanges=site.exchanges + (0 if problem else 1),
            last_seen=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            refused=problem,
        )
        if not problem:
            self.answers[site.title] = reply.body
        self._close(heard)

    def _give_up(self, seen: Mapping[int, Seen]) -> None:
        late = self.clock.now() - self.start >= self.rules.deadline
        for node in list(self.open):
            online = node in seen and seen[node].online
            self._note(node, online)
            given_up = self.rules.on_missing == "Continue" and self._gone_for(node) >= OFFLINE_GRACE
            if late or given_up:
                self._close(_missing(self.sites[node], node in self.met, online, self.rules.deadline))

    def _note(self, node: int, online: bool) -> None:
        """Who was there once, and since when who is not; a site that has not come yet is waited for."""
        site = self.sites[node]
        if online:
            self.met.add(node)
            self.gone.pop(node, None)
        elif node in self.met or site.state != "Waiting":
            self.gone.setdefault(node, self.clock.now())
            self.sites[node] = replace(site, state="Offline")

    def _gone_for(self, node: int) -> float:
        return self.clock.now() - self.gone[node] if node in self.gone else 0.0

    def _close(self, site: Site) -> None:
        self.sites[site.node] = site
        del self.open[site.node]


def _missing(site: Site, met: bool, online: bool, deadline: float) -> Site:
    if not met and site.state == "Waiting":
        why = f"it did not connect within {deadline:.0f} s"
        return replace(site, refused=refusal("SiteMissing", why))
    if not online:
        return replace(site, state="Offline", refused=refusal("SiteMissing", "it sends no heartbeat any more"))
    why = f"it did not answer within {deadline:.0f} s"
    return replace(site, state="Late", refused=refusal("SiteMissing", why))
