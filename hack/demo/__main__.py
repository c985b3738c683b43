"""`python3 -m hack.demo up [--data FILE] [--show drift] | down`."""

import argparse
import sys
from pathlib import Path

from hack.cluster.build import is_built
from hack.cluster.report import Problem
from hack.demo import clusters, data, drift, install, model, summary
from hack.demo.choice import Kind, choose, look_around
from hack.demo.forecast import Forecast, stages
from hack.demo.place import check_plugin


def up(given: Path | None, shown: str | None = None) -> None:
    """Cluster, images, chart, example, predictions; each step does only what is missing. `drift`: also a retraining."""
    check_plugin()
    if given:
        data.check_file(given)
    kind = choose(look_around())
    forecast = Forecast(stages(kind is Kind.OWN and not is_built()))
    with clusters.building_images(kind):
        place = clusters.start(kind)
        forecast.finished("cluster")
        references = clusters.load_images(place)
    forecast.finished("images")
    install.install(place, references)
    forecast.finished("chart")
    source = data.find_source(given, place.kind)
    model.declare(place, source)
    model.wait_until_ready(place)
    summary.show(place, source)
    if shown == "drift":
        drift.show(place)


def down() -> None:
    """Remove all that `up` made."""
    clusters.remove(choose(look_around(), to_remove=True))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m hack.demo", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    starting = commands.add_parser("up", help="train, gate, serve and query the heart-disease model")
    starting.add_argument("--data", type=Path, metavar="FILE", help="a local copy of processed.cleveland.data")
    starting.add_argument("--show", choices=["drift"], help="then change the patients until the model is retrained")
    commands.add_parser("down", help="remove everything that `up` made")
    options = parser.parse_args(arguments)
    try:
        up(options.data, options.show) if options.command == "up" else down()
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; `make demo` continues from here, `make demo-down` removes what is there", file=sys.stderr)
        return 130
    return 0


sys.exit(main())
