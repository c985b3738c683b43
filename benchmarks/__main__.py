"""`make bench`: measures every server on this machine, and writes docs/benchmarks.md and docs/benchmarks.svg.

`python -m benchmarks --quick` prints a rough page and writes nothing; names of servers behind it restrict it to those.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import machine
from benchmarks.contenders import Contender, Start, contenders, start_ours
from benchmarks.environments import ROOT, Environment
from benchmarks.goals import OWN, USUAL_RATE, Findings
from benchmarks.load import generate, generate_paced
from benchmarks.measure import CONNECTIONS, QUICK, Effort, Figures, NotMeasured, measure, running
from benchmarks.models import MODELS, BenchModel, make_model, slow_model
from benchmarks.overload import measure_overload
from benchmarks.page import write_page
from benchmarks.turns import measure_in_turns

SIZES = (1, 100)
QUIET = 0.1
"""Share of the machine that others may use; figures from a busier one are not written down."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="rough figures, printed and not written")
    parser.add_argument("servers", nargs="*", help="only these peers (beginnings of their titles)")
    options = parser.parse_args()
    os.sched_setaffinity(0, {machine.LOAD_CORE})
    busy = machine.busy_share(3.0)
    print(
        f"server on core {machine.SERVER_CORE}, load on core {machine.LOAD_CORE}; others use {busy:.0%} of the machine",
        flush=True,
    )
    if busy > QUIET and not options.quick:
        print("too busy for figures that are to be published: stop what runs beside, or use --quick")
        return 1
    effort = QUICK if options.quick else Effort()
    found = run(effort, tuple(options.servers))
    page = write_page(found, effort, busy)
    print("\n" + page)
    if not options.quick:
        publish(found, page)
    return 0


def run(effort: Effort, only: tuple[str, ...]) -> Findings:
    places, absent = contenders()
    chosen = [c for c in places if not only or c.title in OWN or c.title.startswith(only)]
    with tempfile.TemporaryDirectory() as folder:
        models = [make_model(key, Path(folder)) for key in MODELS]
        print("==> HeartOps and the empty servers in turns", flush=True)
        in_turns = measure_in_turns([each for each in chosen if each.title in OWN], models[0], effort)
        figures = list(measure_all(chosen, models, effort, absent))
        ours = chosen[0]
        print("==> more than the capacity", flush=True)
        overload = measure_overload(ours, models[0], slow_model(Path(folder)), effort)
        return Findings(
            figures=figures,
            absent=absent,
            installed={
                contender.title: contender.place.size() for contender in chosen if contender.title not in OWN[1:]
            },
            memory_with_log=memory_with_log(ours, models[0], effort),
            overload=overload,
            in_turns=in_turns,
        )


def measure_all(
    chosen: list[Contender], models: list[BenchModel], effort: Effort, absent: dict[str, str]
) -> Iterator[Figures]:
    """Adds to `absent` what cannot be measured."""
    for number, contender in enumerate(chosen, 1):
        for model in models:
            print(f"==> {number}/{len(chosen)} {contender.title}, {model.title}", flush=True)
            try:
                for figures in measure(contender, model, SIZES, effort):
                    rate, cpu = figures.full.rate, figures.cpu * 1e6
                    print(
                        f"    {figures.records:>4} records: {rate:>9,.0f} requests/s, {cpu:>8,.0f} µs each", flush=True
                    )
                    yield figures
            except NotMeasured as why:
                print(f"    {why}", flush=True)
                absent[f"{contender.title} ({model.title})"] = str(why)


def memory_with_log(ours: Contender, model: BenchModel, effort: Effort) -> tuple[float, float]:
    """MB at USUAL_RATE and after the greatest load, with every prediction written to a database."""
    print("==> HeartOps with its prediction log on", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        url = {"HEARTOPS_DATABASE_URL": f"sqlite:///{folder}/log.db"}

        def start(place: Environment, model: BenchModel, folder: Path, port: int) -> Start:
            plain = start_ours(place, model, folder, port)
            return replace(plain, environment=plain.environment | url)

        with running(replace(ours, start=start), model, Path(folder)) as (pid, port, _):
            request = ours.request(model, 1)
            generate_paced(port, request, USUAL_RATE, 2 * effort.full)
            usual = machine.resident(pid)
            generate(port, request, CONNECTIONS, effort.full)
            return usual, machine.resident(pid)


def publish(found: Findings, page: str) -> None:
    from benchmarks.plot import draw

    draw(found, ROOT / "docs" / "benchmarks.svg")
    (ROOT / "docs" / "benchmarks.md").write_text(page, encoding="utf-8")
    print("wrote docs/benchmarks.md and docs/benchmarks.svg")


if __name__ == "__main__":
    sys.exit(main())
