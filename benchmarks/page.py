"""docs/benchmarks.md, and the figures beside it as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks import machine
from benchmarks.environments import PEERS
from benchmarks.goals import USUAL_RATE, Findings, Goal, judge
from benchmarks.measure import CONNECTIONS, WINDOWS, Effort, Figures
from benchmarks.models import MODELS

HEAD = "| server | requests/s | records/s | p50 | p99 | p99 at half load | CPU per request | memory | first answer |"


def write_page(found: Findings, effort: Effort, busy: float) -> str:
    parts = [
        "# What a prediction costs",
        introduction(effort, busy),
        "![Requests per second of every server](benchmarks.svg)",
        "## Goals",
        goals_table(judge(found)),
        *(f"## {title[0].upper()}{title[1:]}\n\n{model_tables(found, key)}" for key, (title, _, _) in MODELS.items()),
        "## More than it can do",
        overload_table(found),
        "## Installed",
        sizes(found),
        "## How to read it",
        reading(found),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def introduction(effort: Effort, busy: float) -> str:
    when = datetime.now(UTC).strftime("%d %B %Y")
    return (
        f"Written by `make bench` on {when} ({machine.describe()}; {busy:.0%} of it in use by others at the start)."
        " Every figure comes from this one run: each server alone on one core, the load on another, over loopback,"
        f" {effort.full:g} s per figure after {effort.warm_up:g} s of warming up, {CONNECTIONS} keep-alive connections."
        " All servers open the same pipeline, made by HeartOps' own trainer from 303 rows of 13 features: peers the"
        " scikit-learn pipeline itself, HeartOps the ONNX file that was exported from it."
    )


def goals_table(goals: Sequence[Goal]) -> str:
    rows = [f"| {g.text} | {g.bound} | {g.figure} | {'met' if g.met else '**missed**'} |" for g in goals]
    missed = [f"- Missed: {g.text}. Why: {g.why_not}." for g in goals if not g.met]
    table = "\n".join(["| goal | bound | measured | |", "|---|---|---|---|", *rows])
    return table + ("\n\n" + "\n".join(missed) if missed else "")


def model_tables(found: Findings, model: str) -> str:
    sizes = sorted({figures.records for figures in found.figures})
    tables = []
    for records in sizes:
        rows = [row(f) for f in found.figures if (f.model, f.records) == (model, records)]
        caption = f"{records} record{'s' * (records > 1)} per request:"
        tables.append("\n".join([caption, "", HEAD, "|---" + "|---:" * 8 + "|", *rows]))
    return "\n\n".join(tables)


def row(f: Figures) -> str:
    cells = (
        f.server,
        f"{f.full.rate:,.0f}",
        f"{f.full.rate * f.records:,.0f}",
        milliseconds(f.full.percentile(0.5)),
        milliseconds(f.full.percentile(0.99)),
        milliseconds(f.half_p99),
        f"{f.cpu * 1e6:,.0f} µs",
        f"{f.memory:.0f} MB",
        f"{f.cold:.2f} s",
    )
    return "| " + " | ".join(cells) + " |"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def overload_table(found: Findings) -> str:
    overload = found.overload
    rows = []
    for crowd in overload.crowds:
        late = crowd.rejected_within(0.95)
        result = crowd.result
        rows.append(
            f"| {crowd.factor}× | {result.rate:,.0f} | {crowd.goodput:.0%}"
            f" | {len(result.rejected) / result.seconds:,.0f} | {milliseconds(late) if late else '–'}"
            f" | {milliseconds(result.percentile(0.99))} |"
        )
    head = (
        "| offered | answered/s | of the peak | refused/s | refused within (95 of 100) | answered within (99 of 100) |"
    )
    text = (
        f"A model that needs milliseconds for a record, and is answered {overload.capacity:,.0f} times per second."
        " Requests are sent at multiples of that, whatever comes back; those that do not fit are refused with 503 and"
        " `Retry-After`. The peak is measured just before and just after each of them. A quick model refuses nothing:"
        f" with ten times the connections ({10 * CONNECTIONS}) it answers {overload.crowded:.0%} of what it answers to"
        f" {CONNECTIONS}."
    )
    return "\n".join([text, "", head, "|---" + "|---:" * 5 + "|", *rows])


def sizes(found: Findings) -> str:
    rows = [f"| {name} | {size:,.0f} MB |" for name, size in found.installed.items()]
    usual, greatest = found.memory_with_log
    return "\n".join(
        [
            "Everything in the virtual environment, byte code included.",
            "",
            "| server | size |",
            "|---|---:|",
            *rows,
            "",
            f"With its prediction log on (SQLite here), HeartOps has {usual:.0f} MB resident at {USUAL_RATE}"
            f" predictions/s, and {greatest:.0f} MB after the greatest load, when its queue is full: more comes than"
            " a database takes.",
        ]
    )


def reading(found: Findings) -> str:
    versions = "; ".join(f"{peer['title']}: {', '.join(peer['packages'])}" for peer in PEERS.values())
    lines = [
        "- The empty FastAPI route has the data contract as its pydantic body model and answers a constant; the empty"
        " ASGI app parses the JSON and answers a constant. Neither predicts: they are what the framework and the HTTP"
        " server cost by themselves.",
        "- What HeartOps reaches of them is measured in turns of half a second, with all three up: the machine's speed"
        " changes by half within a minute, and the rates in the tables were measured minutes apart.",
        "- HeartOps checks the contract, runs the model, counts, and writes a log line for every request. Its clients"
        " send JSON objects by feature name; the peers' clients send rows of numbers, which is less to parse.",
        "- Peers run as their documentation shows, with one worker; request logs are off where they have a switch.",
        "- The load generator (`benchmarks/load.py`) is one process on a core of its own. It never sleeps, for waking"
        " another core is charged to the sender. “p99 at half load” is paced: latency counts from when a request was"
        f" due. It is the median of {WINDOWS} windows, for a virtual machine stalls now and then.",
        "- CPU and memory are those of the server and all processes that it has started.",
        f"- Versions ({len(PEERS)} peers, `benchmarks/peers.toml`): {versions}.",
    ]
    lines += [f"- Not measured: {name}: {why}." for name, why in found.absent.items()]
    return "\n".join(lines)
