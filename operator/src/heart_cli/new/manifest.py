"""A HeartModel as YAML text with remarks: what was found in a file, and what a person has to decide."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from heart_api.names import API_VERSION, GROUP
from heart_cli.new.infer import InferredFeature, LeftOut, shortest
from heart_cli.new.target import InferredTarget
from heart_table.layout import Layout

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What YAML makes something else of than text."""


USUAL = {"separator": ",", "decimal": ".", "quote": '"', "encoding": "utf-8", "comment": None, "skipRows": 0}
"""What a file is taken for where dataset.csv says nothing, and nothing else is detected."""


@dataclass(frozen=True)
class Draft:
    """All that is written. `columns`: names that take a header's place, empty where the file has one."""

    name: str
    uri: str
    file: str
    rows: int
    layout: Layout
    columns: tuple[str, ...]
    missing: tuple[str, ...]
    target: InferredTarget
    features: tuple[InferredFeature, ...]
    left_out: tuple[LeftOut, ...]


def render(draft: Draft) -> str:
    return "\n".join(
        [
            f"# From {_comment(draft.file)}: {draft.rows} rows, read as {draft.layout}.",
            "# Types, bounds and missing values are guesses: read each line with a # before you apply it.",
            f"# Try it here: python -m heart_trainer MANIFEST --data {_comment(draft.file)}",
            f"apiVersion: {GROUP}/{API_VERSION}",
            "kind: HeartModel",
            "metadata:",
            f"  name: {_name(draft.name)}",
            "spec:",
            *_dataset(draft),
            *_target(draft.target),
            "  features:",
            *(line for feature in draft.features for line in _feature(feature)),
            *(f"    # left out: {_comment(each.column)}, because {each.why}" for each in draft.left_out),
            *_training(draft.target),
            "",
        ]
    )


def _dataset(draft: Draft) -> Iterator[str]:
    yield "  dataset:"
    yield f"    uri: {_text(draft.uri)}  # where the cluster reads the file"
    if draft.columns:
        yield f"    columns: [{', '.join(map(_text, draft.columns))}]  # in place of a header"
    if draft.missing:
        yield f"    missingValues: [{', '.join(map(_text, draft.missing))}]"
    given = _csv(draft.layout)
    if given:
        yield "    csv:"
        yield from (f"      {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in given.items())


def _csv(layout: Layout) -> dict[str, object]:
    """What was detected or given, so that it is not detected anew from the next file."""
    values = {
        "separator": layout.separator,
        "decimal": layout.decimal,
        "quote": layout.quote,
        "encoding": layout.encoding.removesuffix("-sig"),
        "comment": layout.comment,
        "skipRows": layout.skip,
    }
    return {name: value for name, value in values.items() if name in layout.found or value != USUAL[name]}


def _target(target: InferredTarget) -> Iterator[str]:
    yield "  target:"
    yield f"    name: {_name(target.name)}"
    if target.column:
        yield f"    column: {_text(target.column)}"
    if target.positive_above is not None:
        yield f"    positiveAbove: {shortest(target.positive_above)}"
        yield "    labels: [negative, positive]  # what the two classes are called"
    if target.positive is not None:
        counts = ", ".join(f"{value}: {count} rows" for value, count in target.classes)
        yield f"    positive: {_value(target.positive)}  # the class to find; {_comment(counts)}"
    if target.task == "classification" and target.positive is None and target.positive_above is None:
        yield f"    # {len(target.classes)} classes; for two, set positiveAbove or positive"


def _feature(feature: InferredFeature) -> Iterator[str]:
    yield from (f"    # {feature.name}: {_comment(remark)}" for remark in feature.remarks)
    yield f"    - name: {_name(feature.name)}"
    if feature.column:
        yield f"      column: {_text(feature.column)}"
    yield f"      type: {feature.type}"
    if feature.values:
        yield f"      values: [{', '.join(map(_value, feature.values))}]"
    if feature.minimum is not None and feature.maximum is not None:
        yield f"      minimum: {shortest(feature.minimum)}  # guess: the file's range and a tenth of it"
        yield f"      maximum: {shortest(feature.maximum)}"
    if feature.missing:
        yield f"      missingValues: [{', '.join(map(_text, feature.missing))}]"
    if not feature.required:
        yield "      required: false  # values are missing in the file"
    if feature.sensitive:
        yield "      sensitive: true"


def _training(target: InferredTarget) -> Iterator[str]:
    yield "  training:"
    yield f"    task: {target.task}"
    yield "  # gates: {checks: [{metric: …, min: …}]}  # what a version must fulfil before it serves"


def _value(value: int | str) -> str:
    return str(value) if isinstance(value, int) else _text(value)


def _name(name: str) -> str:
    return name if PLAIN.fullmatch(name) and name.lower() not in WORDS else _text(name)


def _text(text: str) -> str:
    """Always quoted: YAML reads many unquoted texts as booleans, numbers or dates."""
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    """One line, whatever a file's author wrote."""
    return "".join(character if character.isprintable() else " " for character in text)
