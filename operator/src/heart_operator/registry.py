"""The registry as reconciles see it: one snapshot per tracking server and interval, evaluations kept by digest."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from pydantic import ValidationError

from heart_operator.api.evaluation import EVALUATION_PATH, Evaluation
from heart_operator.mlflow_backend import MlflowBackend, RegisteredModel, RegistryError, Snapshot
from heart_operator.plan.values import Registry, RegistryAction

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds that a reconcile waits for MLflow at most."""
THREADS = 4
FORGET_AFTER = 3600.0
"""A server that no model was looked at with for this long is not asked any more."""
MAX_EVALUATION = 4 * 1024 * 1024
KEPT_EVALUATIONS = 256
T = TypeVar("T")


class Backend(Protocol):
    """Blocking calls of one registry."""

    def snapshot(self) -> Snapshot: ...

    def read_artifact(self, run_id: str, path: str, limit: int) -> bytes: ...

    def act(self, registry_name: str, action: RegistryAction) -> None: ...


@dataclass(frozen=True, slots=True)
class EvaluationRef:
    """Where an evaluation lies, and the digest that a training Job returned for it."""

    version: str
    run_id: str
    sha256: str


@dataclass(slots=True)
class Entry:
    """The newest snapshot of one server, or why there is none."""

    at: float
    snapshot: Snapshot | None
    error: str | None


OnChange = Callable[[str, frozenset[str] | None], None]
"""Address of a server, and the registered models that changed there; None: it went away, or is back."""


class RegistryUnavailable(Exception):
    """MLflow did not answer, or not what was asked for."""


Choose = Callable[[Registry], EvaluationRef | None]
"""From what the registry has to the version whose evaluation is needed."""


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
        self._connect = connect
        self._clock = clock
        self._max_age = max_age
        self._timeout = timeout
        self._backends: dict[str, Backend] = {}
        self._entries: dict[str, Entry] = {}
        self._latest: dict[str, Entry] = {}
        """As `_entries`, and kept when an entry is known to be out of date."""
        self._refreshes: dict[str, asyncio.Task[Entry]] = {}
        self._used: dict[str, float] = {}
        self._evaluations: dict[str, Evaluation] = {}
        self._sought: set[tuple[str, str, str]] = set()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="registry")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def view(self, uri: str, registry_name: str, choose: Choose, named: str = "") -> Registry:
        """What MLflow says of one registered model, and the evaluation of the version that `choose` names in it.

        `named`: a version that a person asks for by its number.
        Never raises and never waits longer than the timeout: what is not known is said in `error`.
        """
        self._used[uri] = self._clock()
        entry = await self._entry(uri, self._max_age)
        wanted = choose(model_view(entry, registry_name))
        version = named or (wanted.version if wanted else "")
        if version and entry.snapshot and self._is_news(uri, registry_name, version, entry.snapshot):
            entry = await self._entry(uri, 0)
            wanted = choose(model_view(entry, registry_name))
        found = model_view(entry, registry_name)
        if wanted is None or found.error:
            return found
        evaluation, problem = await self._evaluation(uri, wanted)
        return replace(found, evaluation=evaluation, evaluation_error=problem)

    async def poll(self) -> None:
        """Look at every server in use once per interval, for ever; `on_change` hears what is new."""
        while True:
            await asyncio.sleep(self._max_age)
            used = [uri for uri, when in self._used.items() if self._clock() - when < FORGET_AFTER]
            await asyncio.gather(*(self._entry(uri, self._max_age / 2) for uri in used))

    async def act(self, uri: str, registry_name: str, action: RegistryAction) -> None:
        """Raises RegistryUnavailable when it was not done for sure."""
        backend = self._backend(uri)
        try:
            await self._call(uri, lambda: backend.act(registry_name, action))
        finally:
            self._entries.pop(uri, None)

    def _is_news(self, uri: str, registry_name: str, version: str, snapshot: Snapshot) -> bool:
        """Whether this version is missing for the first time: somebody has just registered it, so look again at once."""
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
        backend = self._backend(uri)
        try:
            snapshot = await self._call(uri, backend.snapshot)
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

    async def _evaluation(self, uri: str, ref: EvaluationRef) -> tuple[Evaluation | None, str | None]:
        """The evaluation, or why it cannot be used; one that was read once is never read again."""
        if (known := self._evaluations.get(ref.sha256)) is not None:
            return known, None
        backend = self._backend(uri)
        try:
            content = await self._call(uri, lambda: backend.read_artifact(ref.run_id, EVALUATION_PATH, MAX_EVALUATION))
        except RegistryUnavailable as error:
            return None, str(error)
        evaluation, problem = check_evaluation(content, ref)
        if evaluation:
            if len(self._evaluations) >= KEPT_EVALUATIONS:
                self._evaluations.pop(next(iter(self._evaluations)))
            self._evaluations[ref.sha256] = evaluation
        return evaluation, problem

    async def _call(self, uri: str, call: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        except TimeoutError:
            raise RegistryUnavailable(f"MLflow at {public(uri)} did not answer in {self._timeout:.0f} s") from None
        except RegistryError as error:
            raise RegistryUnavailable(str(error)) from None
        except Exception as error:
            raise RegistryUnavailable(f"MLflow at {public(uri)}: {brief(error)}") from error

    def _backend(self, uri: str) -> Backend:
        if uri not in self._backends:
            self._backends[uri] = self._connect(uri)
        return self._backends[uri]

    def _compare(self, uri: str, before: Entry, after: Entry) -> None:
        """Tell what changed; an outage is logged once when it begins and once when it ends."""
        if before.snapshot and after.snapshot:
            if names := changed_models(before.snapshot, after.snapshot):
                self.on_change(uri, names)
        elif before.snapshot or after.snapshot:
            if after.error:
                log.warning("The registry is unavailable: %s", after.error)
            else:
                log.info("The registry at %s answers again", public(uri))
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


def check_evaluation(content: bytes, ref: EvaluationRef) -> tuple[Evaluation | None, str | None]:
    """The evaluation when its bytes have the digest that the Job returned."""
    where = f"{EVALUATION_PATH} of version {ref.version}"
    if len(content) > MAX_EVALUATION:
        return None, f"{where} is larger than {MAX_EVALUATION} bytes"
    digest = hashlib.sha256(content).hexdigest()
    if digest != ref.sha256.removeprefix("sha256:"):
        return None, f"{where} is not the file that the training wrote: its digest differs"
    try:
        return Evaluation.model_validate_json(content), None
    except ValidationError as error:
        return None, f"{where} cannot be read: {error.error_count()} fields are missing or wrong"


def public(uri: str) -> str:
    """The address without a user name and password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def brief(error: Exception) -> str:
    """The kind of error and its first words; the client repeats whole requests in its messages."""
    words = re.sub(r"//[^/@\s]*@", "//", str(error)).splitlines()
    return f"{type(error).__name__}: {words[0][:160]}" if words else type(error).__name__
