"""The registry as reconciles see it: one snapshot per tracking server and interval, evaluations kept by digest."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from heart_api.outbox import OutboxEntry
from heart_operator.mlflow.backend import MlflowBackend, RegisteredModel, Snapshot
from heart_operator.mlflow.calls import TIMEOUT, Backend, RegistryCalls, RegistryUnavailable, public
from heart_operator.mlflow.evaluations import Evaluations, wanted_evaluation
from heart_operator.plan.actions import RegistryAction
from heart_operator.plan.observed import Registry
from heart_operator.plan.selection.selection import Selection

log = logging.getLogger(__name__)

FORGET_AFTER = 3600.0
"""Seconds after which a server that no model was reconciled with is not polled any more."""


@dataclass(slots=True)
class Entry:
    """The newest snapshot of one server, or why there is none."""

    at: float
    snapshot: Snapshot | None
    error: str | None


OnChange = Callable[[str, frozenset[str] | None], None]
"""Address of a server, and the registered models that changed there; None: it went away, or is back."""
Select = Callable[[Registry], Selection]
"""From what the registry has to the version that should serve, whose evaluation is needed."""


class RegistryReader:
    """All of the operator's dealings with MLflow. One event loop; calls run in a small pool of threads."""

    def __init__(
        self,
        connect: Callable[[str], Backend] = MlflowBackend,
        *,
        clock: Callable[[], float],
        max_age: float = 15.0,
        timeout: float = TIMEOUT,
    ) -> None:
        self.on_change: OnChange = lambda uri, names: None
        self._clock = clock
        self._max_age = max_age
        self._calls = RegistryCalls(connect, timeout)
        self._evaluations = Evaluations(self._calls)
        self._entries: dict[str, Entry] = {}
        self._latest: dict[str, Entry] = {}
        """As `_entries`, and kept when an entry is known to be out of date."""
        self._refreshes: dict[str, asyncio.Task[Entry]] = {}
        self._used: dict[str, float] = {}
        self._named: dict[str, set[str]] = {}
        """Registered models that HeartModels use, by server."""
        self._sought: set[tuple[str, str, str]] = set()

    def close(self) -> None:
        self._calls.close()

    def availability(self) -> dict[str, bool]:
        """By server in use, without user name and password: whether its latest read succeeded."""
        recent = {uri for uri, when in self._used.items() if self._clock() - when < FORGET_AFTER}
        return {public(uri): entry.error is None for uri, entry in self._latest.items() if uri in recent}

    async def view(self, uri: str, registry_name: str, select: Select, named: str = "") -> tuple[Registry, Selection]:
        """The state of one registered model in MLflow, with the evaluation of the version that `select` finds in it.

        `named`: a version given by its number. Never raises and never exceeds the timeout: `error` says what is
        unknown.
        """
        self._used[uri] = self._clock()
        known = self._named.setdefault(uri, set())
        if registry_name not in known:
            known.add(registry_name)
            if "." not in registry_name:
                self.renew(uri)  # the newest snapshot was not asked for it
        entry = await self._entry(uri, self._max_age)
        found = model_view(entry, registry_name)
        selection = select(found)
        wanted = wanted_evaluation(selection)
        version = named or (wanted.version if wanted else "")
        if version and entry.snapshot and self._is_news(uri, registry_name, version, entry.snapshot):
            found = model_view(await self._entry(uri, 0), registry_name)  # the other snapshot was from before that
            selection = select(found)
            wanted = wanted_evaluation(selection)
        if wanted is None or found.error:
            return found, selection
        evaluation, problem = await self._evaluations.read(uri, wanted)
        return replace(found, evaluation=evaluation, evaluation_error=problem), selection

    async def poll(self) -> None:
        """Read every server in use once per interval, for ever; `on_change` is called for what is new."""
        while True:
            await asyncio.sleep(self._max_age)
            used = [uri for uri, when in self._used.items() if self._clock() - when < FORGET_AFTER]
            await asyncio.gather(*(self._entry(uri, self._max_age / 2) for uri in used))

    async def record(self, uri: str, registry_name: str, entries: Sequence[OutboxEntry]) -> None:
        """Add to the history of a registered model. Raises RegistryUnavailable when it was not done for sure."""
        await self._calls.call(uri, lambda backend: backend.record(registry_name, entries))

    def renew(self, uri: str) -> None:
        """The next view reads the server again."""
        self._entries.pop(uri, None)

    def leave(self, uri: str) -> None:
        """No model uses the server any more: it is not polled, reported or remembered."""
        for known in (self._used, self._entries, self._latest, self._named):
            known.pop(uri, None)

    async def act(self, uri: str, registry_name: str, action: RegistryAction) -> None:
        """Raises RegistryUnavailable when it was not done for sure."""
        try:
            await self._calls.call(uri, lambda backend: backend.act(registry_name, action))
        finally:
            self._entries.pop(uri, None)

    def _is_news(self, uri: str, registry_name: str, version: str, snapshot: Snapshot) -> bool:
        """True if this version is missing for the first time: it may just have been registered."""
        sought = (uri, registry_name, version)
        if version in snapshot.versions.get(registry_name, {}):
            self._sought.discard(sought)
            return False
        if sought in self._sought:
            return False
        self._sought.add(sought)
        return True

    async def _entry(self, uri: str, max_age: float) -> Entry:
        """The snapshot, read again when it is older than `max_age`; one read at a time per server."""
        entry = self._entries.get(uri)
        if entry and self._clock() - entry.at < max_age:
            return entry
        refresh = self._refreshes.get(uri)
        if refresh is None:
            refresh = asyncio.create_task(self._refresh(uri))
            self._refreshes[uri] = refresh
            refresh.add_done_callback(lambda _: self._refreshes.pop(uri, None))
        return await asyncio.shield(refresh)

    async def _refresh(self, uri: str) -> Entry:
        try:
            named = frozenset(self._named.get(uri, ()))
            snapshot = await self._calls.call(uri, lambda backend: backend.snapshot(named))
        except RegistryUnavailable as error:
            entry = Entry(self._clock(), None, str(error))
        else:
            entry = Entry(self._clock(), snapshot, None)
        before = self._latest.get(uri)
        self._entries[uri] = self._latest[uri] = entry
        if before:
            self._compare(uri, before, entry)
        elif entry.error:
            log.warning("The registry is unavailable: %s", entry.error)
        return entry

    def _compare(self, uri: str, before: Entry, after: Entry) -> None:
        """Tell what changed; an outage is logged once when it begins and once when it ends."""
        if before.snapshot and after.snapshot:
            if names := changed_models(before.snapshot, after.snapshot):
                self.on_change(uri, names)
        elif before.snapshot or after.snapshot:
            if after.error:
                log.warning("The registry is unavailable: %s", after.error)
            else:
                log.info("The registry at %s is available again", public(uri))
            self.on_change(uri, None)


def model_view(entry: Entry, registry_name: str) -> Registry:
    """One registered model as a snapshot shows it."""
    if entry.snapshot is None:
        return Registry(error=entry.error)
    model = entry.snapshot.models.get(registry_name, RegisteredModel(None, {}))
    return Registry(
        claimed_by=model.claimed_by,
        versions=entry.snapshot.versions.get(registry_name, {}),
        aliases=model.aliases,
        open_runs=entry.snapshot.open_runs.get(registry_name, frozenset()),
    )


def changed_models(before: Snapshot, after: Snapshot) -> frozenset[str]:
    """Names of the registered models of which anything differs."""
    pairs = ((before.models, after.models), (before.versions, after.versions), (before.open_runs, after.open_runs))
    return frozenset(name for old, new in pairs for name in {*old, *new} if old.get(name) != new.get(name))
