"""Ours and the empty servers in turns of half a second: a machine with other guests is quick now and slow then."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.contenders import Contender
from benchmarks.load import generate
from benchmarks.measure import CONNECTIONS, Effort, NotMeasured, running
from benchmarks.models import BenchModel


def measure_in_turns(contenders: Sequence[Contender], model: BenchModel, effort: Effort) -> dict[str, float]:
    """Requests/s of the first over those of each other, by its title, one record each: the median of the rounds.

    Raises NotMeasured.
    """
    first, *others = contenders
    with ExitStack() as stack:
        ports = {each.title: _started(stack, each, model) for each in contenders}
        rates = [_round(contenders, ports, model, effort.turn) for _ in range(effort.turns + 1)]
    warm = rates[1:]
    return {other.title: median(rate[first.title] / rate[other.title] for rate in warm) for other in others}


def _started(stack: ExitStack, contender: Contender, model: BenchModel) -> int:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    _pid, port, _cold = stack.enter_context(running(contender, model, folder))
    return port


def _round(
    contenders: Sequence[Contender], ports: dict[str, int], model: BenchModel, seconds: float
) -> dict[str, float]:
    rates = {}
    for each in contenders:
        result = generate(ports[each.title], each.request(model, 1), CONNECTIONS, seconds)
        if result.failures or not result.latencies:
            raise NotMeasured(f"{each.title} failed {result.failures} requests and answered {len(result.latencies)}")
        rates[each.title] = result.rate
    return rates
