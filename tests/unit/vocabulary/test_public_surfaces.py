"""Public surfaces use the vocabulary of docs/glossary.md, and none of the project's earlier private words."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from heart_cli.cli import cli
from heart_log.quality import Figure
from heart_operator.crdgen.heartmodel import HEART_MODEL
from heart_operator.crdgen.retrainschedule import RETRAIN_SCHEDULE
from heart_operator.telemetry.operator import Metrics
from heart_serving.metrics import ServingMetrics
from heart_serving.predictionlog.metrics import QUALITY, LogMetrics
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.output_bins import OutputCounts

ROOT = Path(__file__).parents[3]

FILES = (
    "README.md",
    "docs/**/*.md",
    "crds/*.yaml",
    "kustomize/README.md",
    "charts/heartops/dashboards/*.json",
    "charts/heartops/values.yaml",
    "charts/heartops/templates/NOTES.txt",
    "tests/unit/heart_cli/golden/*.txt",
    "tests/unit/heart_operator/manifests/golden/**/prometheusrule-*.yaml",
)

FORBIDDEN = {
    r"\b(?:a|the|each|every|one|per|last|first|newest|next) looks?\b(?! at)": "reconcile, interval, drift check",
    r"\blooks in a row\b|\bbad looks?\b": "consecutive failures",
    r"\brefus(?:e|es|ed|al|als|ing)\b": "rejected, rejection",
    r"\bwhat serves\b|\bthe version before\b": "serving (stable) version, previous version",
    r"\bgo(?:es)? on (?:trying|serving|starting)\b": "retries, continues to serve",
    r"\b(?:scene|desk|intake)s?\b": "rollout context, explain worker, request body",
    r"\bdialects?\b": "protocol",
    r"\b(?:ticks?|wish(?:es|ed)?|told)\b": "scheduled time, request, reported",
    r"\b(?:telling|orders)\b(?! of magnitude)": "commands, submit",
    r"\b(?:money|capital)\b(?! letters?)": "wealth, stake",
    r"\bPerformanceKept\b": "PerformanceAcceptable",
    r"\bin (?:this|our|the) house\b": "module, package",
    r"[«»]": 'plain quotes: "…"',
}
"""Pattern of a private word, and what the field says."""

ALLOWED = (
    r"connection refused",  # the operating system's words
    r"in order to",
)
"""Idioms that contain a listed word and are the field's own."""


NOT_REVISED = frozenset(
    f"docs/{page}.md"
    for page in (
        *("architecture", "backup", "benchmarks", "explanations", "limits", "prediction-log"),
        *("registering", "reliability", "serving", "upgrading"),
    )
)
"""Pages that still use earlier words; remove a page from here with its revision."""


def lines() -> Iterator[tuple[str, str]]:
    """(file:line, text) of every public surface that is a file, except the decision records, which are history."""
    for pattern in FILES:
        for file in sorted(ROOT.glob(pattern)):
            place = file.relative_to(ROOT)
            if place.is_relative_to("docs/decisions") or str(place) in NOT_REVISED:
                continue
            for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
                yield f"{place}:{number}", text


def commands(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """(command, --help) of a command and its subcommands."""
    context = click.Context(command, info_name=name)
    yield f"{name} --help", command.get_help(context)
    for sub in getattr(command, "commands", {}).values():
        yield from commands(sub, f"{name} {sub.name}")


def metric_help() -> Iterator[tuple[str, str]]:
    """(metric, name and help) of what the operator and the serving pods export."""
    labels = {"model_name": "heart", "model_version": "1"}
    serving = ServingMetrics("heart", "1", {}, OutputCounts(Answers("binary", (0, 1), ("no", "yes"), 0.5)))
    log = LogMetrics(labels, figures=lambda: {"feedback": dict.fromkeys(QUALITY, Figure(0.9, 0.8, 1.0, 10))})
    for collector in (Metrics().registry, serving, log):
        for family in collector.collect():
            yield f"metric {family.name}", f"{family.name} {family.documentation}"


def violations(texts: Iterator[tuple[str, str]]) -> list[str]:
    found = []
    for place, text in texts:
        for allowed in ALLOWED:
            text = re.sub(allowed, "", text)
        found += [
            f"{place}: {match[0]!r}; the field says: {better}"
            for pattern, better in FORBIDDEN.items()
            for match in [re.search(pattern, text, re.IGNORECASE)]
            if match
        ]
    return found


def test_files() -> None:
    assert not (found := violations(lines())), "\n".join(found)


def test_command_line_help() -> None:
    assert not (found := violations(commands(cli, "kubectl heart"))), "\n".join(found)


def test_metrics() -> None:
    assert not (found := violations(metric_help())), "\n".join(found)


def test_conditions_and_reasons() -> None:
    texts = (
        (f"{kind.kind} {name}", f"{name} {meaning}")
        for kind in (HEART_MODEL, RETRAIN_SCHEDULE)
        for name, meaning in (*kind.conditions.items(), *kind.reasons.items())
    )
    assert not (found := violations(texts)), "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "Bad looks in a row",
        "it was refused",
        "the next tick",
        "what serves",
        "it goes on trying",
        "«missing»",
        "a wish",
    ],
)
def test_a_private_word_is_named_with_its_place(text: str) -> None:
    (found,) = violations(iter([("docs/page.md:7", text)]))
    assert found.startswith("docs/page.md:7: ")


@pytest.mark.parametrize("text", ["connection refused", "in order to", "have a look at", "two orders of magnitude"])
def test_idioms_are_allowed(text: str) -> None:
    assert violations(iter([("docs/page.md:7", text)])) == []
