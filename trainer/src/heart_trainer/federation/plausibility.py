"""Whether a site's answer can be what was requested. A site may still lie plausibly: nobody else has its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from heart_api.federation import SiteFailure
from heart_trainer.federation.messages import BadMessage, Joined, read_tell, refusal
from heart_trainer.sums.additive import StatisticRejected, Sums
from heart_trainer.sums.describe import DescribeRequest, Description
from heart_trainer.sums.driver import Request
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.linear import GramRequest, NewtonRequest
from heart_trainer.sums.paired import PairedRequest
from heart_trainer.sums.scores import ScoreRequest, cells_of
from heart_trainer.sums.wire import from_bytes


@dataclass(frozen=True)
class Known:
    """What a site has said of itself. `parts`: rows by part, once it has described them."""

    rows: int
    parts: tuple[int, ...] = ()


def told(data: bytes) -> tuple[SiteFailure | None, Joined | None, bytes]:
    """(refusal, what it says of itself, body) of an answer; what is no answer is a refusal."""
    try:
        tell, body = read_tell(data)
    except BadMessage as error:
        return refusal("SiteRefused", f"its answer is not believed: {error}"), None, b""
    return tell.refusal, tell.joined, body


def read_sums(request: Request, body: bytes, known: Known) -> Sums:
    """Raises StatisticRejected where the numbers cannot be, or contradict what the site said before."""
    found = from_bytes(request.schema(), body)
    if check := CHECKS.get(type(request)):
        check(request, found, known)
    return found


def _description(request: DescribeRequest, sums: Sums, known: Known) -> None:
    Description(request, sums)
    if int(sums["rows"].sum()) != known.rows:
        raise StatisticRejected(f"rows: describes {int(sums['rows'].sum())}, joined with {known.rows}")


def _sets(request: NewtonRequest | GramRequest, sums: Sums, known: Known) -> None:
    sizes = [len(values) for values in getattr(request, "coefficients", ())] or [1] * len(request.learners)
    expected = np.repeat([sum(known.parts[part] for part in one.parts) for one in request.learners], sizes)
    if ((sums["rows"] != expected) & (sums["rows"] != 0)).any():
        raise StatisticRejected("rows: sums over other rows than it described")


def _scores(request: ScoreRequest, sums: Sums, known: Known) -> None:
    most = [sum(known.parts[part] for part in one.parts) for one in request.judged]
    _tables(sums, np.array(most), request.scale is not None)


def _evaluation(request: EvaluationRequest, sums: Sums, known: Known) -> None:
    tables = Sums(request.schema()[: len(sums.schema) - bool(request.outputs)], _without(sums, "outputs"))
    _tables(tables, np.full(len(sums["rows"]), known.rows), request.scale is not None)


def _without(sums: Sums, name: str) -> dict[str, Any]:
    return {key: value for key, value in sums.values.items() if key != name}


def _tables(sums: Sums, most: np.ndarray, regression: bool) -> None:
    rows = sums["rows"].reshape(len(sums["rows"]), -1).sum(axis=1)
    if (rows > most).any():
        raise StatisticRejected("rows: judges more rows than it described")
    for table in range(0 if regression else len(rows)):
        cells_of(sums, table)


def _paired(request: PairedRequest, sums: Sums, known: Known) -> None:
    if int(sums["rows"].sum()) > known.rows:
        raise StatisticRejected("rows: compares more rows than it described")
    if request.scale is not None:
        return
    for name in ("candidate", "serving"):
        if (sums[name] > sums["rows"] * (1 + 1e-9)).any():
            raise StatisticRejected(f"{name}: probabilities above 1")


CHECKS: dict[type[Any], Callable[[Any, Sums, Known], None]] = {
    DescribeRequest: _description,
    NewtonRequest: _sets,
    GramRequest: _sets,
    ScoreRequest: _scores,
    EvaluationRequest: _evaluation,
    PairedRequest: _paired,
}
