"""The command: its options, progress while it runs, and the summary at its end, at Ctrl-C or at SIGTERM."""

import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from heart_api.durations import seconds as parse_duration
from heart_cli.client import Client
from heart_cli.completing import complete_models
from heart_cli.listing import print_table
from heart_cli.load.plan import MOST_REQUESTS, Plan
from heart_cli.load.records import draw, read_examples
from heart_cli.load.results import Outcome, headline, problem_lines, results_table
from heart_cli.load.sending import Load, sender
from heart_cli.modelservice import open_service, with_key
from heart_cli.options import NAME, on_cluster
from heart_cli.text import clean, length

PROGRESS = 10.0
"""Seconds between two lines of progress."""
LONGEST = 3600.0
DEFAULT_RATE = 10.0


class Length(click.ParamType[float]):
    """A duration of at most an hour, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            found = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not 0 < found <= LONGEST:
            self.fail(f"must be longer than 0 and at most {length(LONGEST)}", param, ctx)
        return found


@click.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, max=1000),
    help="Requests per second; 0: as fast as the responses come.  [default: 10; with --requests: 0]",
)
@click.option("--for", "duration", type=Length(), default="1m", show_default=True, help="Time after which it ends.")
@click.option("--requests", type=click.IntRange(1, MOST_REQUESTS), help="Number of requests after which it ends.")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Connections that send at a time."
)
@on_cluster
@with_key
def load(
    client: Client, name: str, rate: float | None, duration: float, requests: int | None, concurrency: int, key: str
) -> None:
    """Send synthetic records and measure the responses.

    The records are drawn from the example records of the serving version, which contain no real data. Requests go
    through the API server to the model's Service, so that a candidate receives its share of them; latencies include
    this path. The prediction log records them like any other request. Ends after --for or --requests, at Ctrl-C or at
    SIGTERM, with a summary by version; exit code 1 if a request failed.
    """
    if rate is None:
        rate = 0.0 if requests else DEFAULT_RATE
    plan = Plan(duration, requests or MOST_REQUESTS, rate, concurrency)
    service = open_service(client, name, key)
    records = draw(read_examples(service))
    run = Load(plan, records, sender(replace(service, client=client.with_connections(concurrency))))
    follow(run)
    summarize(run, rate)
    if any(outcome.problem for outcome in run.outcomes):
        raise SystemExit(1)


def follow(run: Load) -> None:
    """Until the plan's end, Ctrl-C or SIGTERM, which is how scripts end what they started in the background."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with run.running():
            while not run.wait(PROGRESS):
                click.echo(f"{length(run.seconds)}: {headline(tuple(run.outcomes), run.seconds, 0)}", err=True)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
    finally:
        signal.signal(signal.SIGTERM, before)


def summarize(run: Load, rate: float) -> None:
    outcomes = tuple(run.outcomes)
    click.echo(headline(outcomes, run.seconds, rate))
    if outcomes:
        print_results(outcomes)


def print_results(outcomes: Sequence[Outcome]) -> None:
    print_table(results_table(outcomes))
    for line in problem_lines(outcomes):
        click.echo(clean(line))
