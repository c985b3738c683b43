"""`kubectl heart check`: a drift check on demand, with its report and an exit code for pipelines."""

import re
import secrets
import time
from datetime import UTC, datetime, timedelta

import click
from pydantic import ValidationError

from heart_api.base import DURATION_PATTERN
from heart_api.checks import CheckOrder, CheckStatus, new_id
from heart_api.durations import seconds
from heart_api.heartmodel import HeartModel
from heart_api.kube.schedules import parse_schedule
from heart_api.labels import read_labels
from heart_api.retrainschedule import DriftCheck
from heart_api.times import written
from heart_cli.checkreport import check_lines, exit_code
from heart_cli.client import Client
from heart_cli.completing import complete_models
from heart_cli.dryrun import DRY_RUN, DryRun, told
from heart_cli.errors import ApiFailure, Failure
from heart_cli.options import NAME, Length, on_cluster
from heart_cli.output import STRUCTURED, print_data
from heart_cli.reading import read_model, read_schedules
from heart_cli.text import clean
from heart_cli.waitcommand import TIMED_OUT

POLL_SECONDS = 1.0
DEFAULT = DriftCheck()


class Moment(click.ParamType[datetime]):
    """A time in RFC 3339, or how long ago: `2026-11-22T06:00:00Z`, `24h`."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if re.fullmatch(DURATION_PATTERN, str(value)):
            return datetime.now(UTC) - timedelta(seconds=seconds(str(value)))
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("must be a time such as 2026-11-22T06:00:00Z or 2026-11-22, or a length such as 24h", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


class Selection(click.ParamType[dict[str, str]]):
    """`site=hospital-01`, or several labels separated by commas."""

    name = "label"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        found = read_labels(str(value))
        if found is None:
            self.fail("must be name=value pairs separated by commas, as site=hospital-01", param, ctx)
        return found


@click.command()
@click.argument("name", type=NAME, shell_complete=complete_models)
@click.option("--from", "since", type=Moment(), help="Start of the window; by default the length of a schedule's.")
@click.option("--to", "until", type=Moment(), help="End of the window; by default now.")
@click.option("--where", type=Selection(), multiple=True, help="Only predictions with this label; may be repeated.")
@click.option("--min-samples", type=click.IntRange(20, 1_000_000), help="Predictions that each window needs.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), help="Share of features that is drift.")
@click.option("--wait/--no-wait", "waits", default=True, help="Wait for the result (the default).")
@click.option("--timeout", type=Length(), default="10m", show_default=True, help="Longest time to wait.")
@DRY_RUN
@STRUCTURED
@on_cluster
def check(
    client: Client,
    name: str,
    since: datetime | None,
    until: datetime | None,
    where: tuple[dict[str, str], ...],
    min_samples: int | None,
    threshold: float | None,
    waits: bool,
    timeout: float,
    dry: DryRun,
    output: str | None,
) -> None:
    """Check the logged predictions for drift now.

    The window is compared with the serving version's training, and with the window of the same length before it.
    Nothing is retrained. Exit code 0: no drift; 1: the check failed; 3: timeout; 4: drift; 5: inconclusive.
    """
    model, deadline = read_model(client, name), time.monotonic() + timeout
    settings = schedule_settings(client, name)
    changes = {"min_samples": min_samples, "threshold": threshold}
    settings = settings.model_copy(update={key: value for key, value in changes.items() if value is not None})
    order = build_order(model, client.user_name(), since, until, merged(where), settings)
    client.rehearsing(dry).annotate(name, order.annotations())
    if dry != "none" or not waits:
        done = "requested" if dry == "none" else "would be requested"
        click.echo(clean(told(f"{name}: drift check {order.id} {done} by {order.by}", dry)))
        return
    found = await_check(client, name, order, deadline)
    if output:
        print_data(output, found.dump())
    else:
        click.echo("\n".join(clean(line) for line in check_lines(name, found)))
    if code := exit_code(found):
        click.get_current_context().exit(code)


def merged(where: tuple[dict[str, str], ...]) -> dict[str, str]:
    """Raises UsageError for a label with two values: no prediction carries both."""
    found: dict[str, str] = {}
    for pairs in where:
        for label, value in pairs.items():
            if found.setdefault(label, value) != value:
                raise click.UsageError(f"--where: {label} cannot be both {found[label]} and {value}")
    return found


def schedule_settings(client: Client, name: str) -> DriftCheck:
    """As the model's first RetrainSchedule with drift checks has them, else the defaults."""
    schedules = sorted(read_schedules(client), key=lambda raw: str(raw["metadata"]["name"]))
    for raw in schedules:
        if raw.get("spec", {}).get("modelName") == name and "drift" in raw["spec"]:
            return parse_schedule(raw).spec.drift or DEFAULT
    return DEFAULT


def build_order(
    model: HeartModel,
    by: str,
    since: datetime | None,
    until: datetime | None,
    where: dict[str, str],
    settings: DriftCheck,
) -> CheckOrder:
    """Raises Failure for a window that is none, and for labels that the model does not log."""
    if unknown := sorted(set(where) - set(model.spec.serving.prediction_log.labels)):
        declared = ", ".join(model.spec.serving.prediction_log.labels) or "none"
        raise Failure(
            f"{model.name} does not log the label {', '.join(unknown)} (logged: {declared}): add it to"
            " spec.serving.predictionLog.labels"
        )
    end = until or datetime.now(UTC)
    start = since or end - timedelta(seconds=seconds(settings.window))
    try:
        return CheckOrder(
            id=new_id(datetime.now(UTC), secrets.token_hex(4)),
            by=by,
            since=written(start),
            until=written(end),
            where=where,
            min_samples=settings.min_samples,
            threshold=settings.threshold,
            any_feature=settings.any_feature,
        )
    except ValidationError as error:
        raise Failure("; ".join(str(item["msg"]).removeprefix("Value error, ") for item in error.errors())) from None


def await_check(client: Client, name: str, order: CheckOrder, deadline: float) -> CheckStatus:
    """The check when it has ended. Raises Failure when a newer one took its place or when it cannot start."""
    last = ""
    while True:
        found = read_check(client, name)
        if found and found.id > order.id:
            raise Failure(f"The check was replaced by {found.id}, which {found.by or 'somebody'} requested")
        if found and found.id == order.id:
            if found.phase in ("Succeeded", "Failed"):
                return found
            if found.phase == "Pending":
                raise Failure(f"The check cannot start: {found.message}")
            doing = found.message or f"Job {found.job} is checking the prediction log"
            if doing != last:
                click.echo(clean(f"{name}: {doing}"), err=True)
                last = doing
        if time.monotonic() >= deadline:
            click.echo(f"Error: {name}: timed out; the check goes on: kubectl heart status {name}", err=True)
            click.get_current_context().exit(TIMED_OUT)
        time.sleep(POLL_SECONDS)


def read_check(client: Client, name: str) -> CheckStatus | None:
    """The latest check; None, too, where the API server does not answer for now. Raises ApiFailure."""
    try:
        return read_model(client, name).status.check
    except ApiFailure as error:
        if not error.passes:
            raise
        return None
