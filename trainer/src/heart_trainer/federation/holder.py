"""A site's answers: from the bytes of a question to the bytes of an answer, and what was answered so far."""

from collections import Counter
from dataclasses import dataclass

from heart_api.federation import SiteFailure, SiteRequest, contract_sha256
from heart_trainer.federation.bundle import bundle_sha256
from heart_trainer.federation.disclosure import few_dominate, preparations, prepares
from heart_trainer.federation.holding import Holding, enough
from heart_trainer.federation.limits import limited
from heart_trainer.federation.messages import Ask, BadMessage, Tell, encode, read_ask, refusal
from heart_trainer.sums.additive import StatisticRejected
from heart_trainer.sums.driver import Request
from heart_trainer.sums.linear import NewtonRequest
from heart_trainer.sums.requests import decode
from heart_trainer.sums.rows import Rows, draws
from heart_trainer.sums.split import Split
from heart_trainer.sums.union import CannotGrow, GrowRequest, grow
from heart_trainer.sums.wire import to_bytes

MOST_EXCHANGES = 400
"""A study takes about ten; with sites that are lost it starts anew. More is somebody trying to find out more."""
DOMINATED = "the sums that it was asked for would be those of a few rows (the model's answers are all but certain)"
SEE_LOG = "the data holder sees why in the log of the site"


@dataclass
class Holder:
    """Answers for one site. `held`: its rows, or why it has none to answer about."""

    request: SiteRequest
    held: Holding | SiteFailure
    exchanges: int = 0
    sent_bytes: int = 0
    ended: bool = False
    refused: SiteFailure | None = None
    _rows: Rows | None = None
    _split: Split | None = None

    def answer(self, data: bytes, bundle: str) -> bytes:
        """Never raises for what a coordinator sends. `bundle`: digest of the run's bundle."""
        try:
            told = self._answer(data, bundle)
        except (BadMessage, StatisticRejected) as error:
            told = self._refuse(refusal("SiteRefused", f"the request is not one that this release answers: {error}"))
        self.sent_bytes += len(told)
        return told

    def _answer(self, data: bytes, bundle: str) -> bytes:
        if (problem := self._bundle_problem(bundle)) is not None:
            return self._refuse(problem)
        ask, body = read_ask(data)
        if (problem := self._problem(ask)) is not None:
            return self._refuse(problem)
        if ask.kind == "end":
            self.ended = True
            return encode(Tell())
        assert isinstance(self.held, Holding)  # else it was a problem
        if ask.kind == "join":
            return encode(Tell(joined=self.held.joined))
        return self._trees(ask, body, self.held) if ask.kind == "trees" else self._sums(ask, decode(body), self.held)

    def _bundle_problem(self, bundle: str) -> SiteFailure | None:
        wanted = self.request.bundle_sha256 or bundle_sha256()
        if bundle == wanted == bundle_sha256():
            return None
        message = (
            f"the run carries the bundle {bundle[:23]}…, this site runs {bundle_sha256()[:23]}… and was told to accept "
            f"{wanted[:23]}…: coordinator and site need the same release"
        )
        return refusal("BundleMismatch", message)

    def _problem(self, ask: Ask) -> SiteFailure | None:
        request = self.request
        model = f"{request.model_namespace}/{request.model_name}"
        if ask.model != model or (request.trigger and ask.trigger != request.trigger):
            return refusal("SiteRefused", f"it answers {model} alone, and only the training that it was started for")
        own = contract_sha256(request.task, request.target, request.features)
        if len({own, request.contract_sha256 or own, ask.contract_sha256}) > 1:
            return refusal("ContractMismatch", "the data holder agreed to another contract (task, target or features)")
        if isinstance(self.held, SiteFailure):
            # Its text may name counts of rows: those stay at the site.
            known = self.held.reason in ("TooFewRows", "ContractMismatch")
            return self.held if known else refusal(self.held.reason, f"its data cannot be used; {SEE_LOG}")
        few = enough(self.held, request)
        return refusal("TooFewRows", few) if few else None

    def _sums(self, ask: Ask, request: Request, held: Holding) -> bytes:
        rows = self._dealt(ask.folds_key, held)
        split = getattr(request, "split", None)
        if few := enough(held, self.request, _sizes(split, rows) if split else None):
            return self._refuse(refusal("TooFewRows", few))
        if disclosed := self._discloses(request, split):
            return self._refuse(refusal("SiteRefused", disclosed))
        minimum = self.request.minimum_cell
        try:
            if isinstance(request, NewtonRequest) and few_dominate(request, rows, minimum):
                return self._refuse(refusal("SiteRefused", DOMINATED))
            found = limited(request, request.collect(rows), minimum)
        except (ValueError, IndexError) as error:  # shapes and places that fit neither each other nor the rows
            raise StatisticRejected("its arrays do not fit each other") from error
        self.exchanges += 1
        return encode(Tell(), to_bytes(found))

    def _trees(self, ask: Ask, body: bytes, held: Holding) -> bytes:
        """Trees grown on the site's rows: every threshold and leaf is of the minimum of rows at least."""
        request, rows = GrowRequest.read(body), self._dealt(ask.folds_key, held)
        if few := enough(held, self.request, _sizes(request.split, rows)):
            return self._refuse(refusal("TooFewRows", few))
        if disclosed := self._discloses(request, request.split):
            return self._refuse(refusal("SiteRefused", disclosed))
        try:
            found = grow(request, rows, self.request.minimum_cell)
        except CannotGrow as error:
            return self._refuse(refusal("TooFewRows", str(error)))
        self.exchanges += 1
        return encode(Tell(), found)

    def _dealt(self, key: str, held: Holding) -> Rows:
        """The key is the first one for good: sums over ever new parts would single rows out."""
        if self._rows is None:
            self._rows = Rows(held.x, held.y, draws(held.plain, key.encode()))
        return self._rows

    def _discloses(self, request: Request | GrowRequest, split: Split | None) -> str:
        """Why a request is none of a study: sums that differ in few rows would say what those rows are."""
        if split and self._split not in (None, split):
            return "it answers about one split of its rows, and was asked about another"
        self._split = split or self._split
        if any(part.bound < 1 for name in ("learners", "judged") for part in getattr(request, name, ())):
            return "it answers about all rows of a part, and was asked about some"
        if any(not prepares(one, self.request.features) for one in preparations(request)):
            return "it was asked to read columns as another type than the contract's"
        return "it was asked too often" if self.exchanges >= MOST_EXCHANGES else ""

    def _refuse(self, problem: SiteFailure) -> bytes:
        self.refused = self.refused or problem
        return encode(Tell(refusal=problem))


def _sizes(split: Split, rows: Rows) -> dict[int, int]:
    found = Counter(split.part_of(rows.draw).tolist())
    return {part: found.get(part, 0) for part in range(split.parts)}
