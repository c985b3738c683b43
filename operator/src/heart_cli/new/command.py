"""The command: reads the file once, row by row, and writes a HeartModel. It needs no cluster."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import ValidationError

from heart_api.contract import Csv
from heart_cli.errors import Failure
from heart_cli.new.infer import InferredFeature, LeftOut, infer_feature
from heart_cli.new.manifest import Draft, render
from heart_cli.new.target import infer_target
from heart_cli.options import NAME
from heart_cli.text import clean
from heart_table.errors import UnreadableFile
from heart_table.layout import NUMBER, Layout, Row
from heart_table.stream import open_table
from heart_table.summary import Column, summarise


@click.command()
@click.argument("name", type=NAME)
@click.option("--from", "file", required=True, type=click.Path(path_type=Path), help="CSV file, also packed with gzip.")
@click.option("--target", required=True, help="Column to predict; its place (1, 2, …) in a file without a header.")
@click.option("--positive", help="Value of the target that is the positive class, or '>LIMIT' for a measured target.")
@click.option("--columns", help="Names for a file without a header (or instead of it), separated by commas.")
@click.option("--uri", help="dataset.uri of the resource.  [default: pvc://data/FILE]")
@click.option("--separator", help="As dataset.csv.separator, where the file does not show it.")
@click.option("--decimal", type=click.Choice([".", ","]), help="As dataset.csv.decimal.")
@click.option("--encoding", help="As dataset.csv.encoding.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
def new(
    name: str,
    file: Path,
    target: str,
    positive: str | None,
    columns: str | None,
    uri: str | None,
    separator: str | None,
    decimal: str | None,
    encoding: str | None,
    output: Path | None,
) -> None:
    """Write a HeartModel from a file with your data.

    Types, bounds, categories and missing values are guessed, with remarks where you must decide.

    It reads the file here and prints none of its rows; names, values of categories and bounds go into the resource.
    """
    names = [each.strip() for each in columns.split(",")] if columns else []
    address = uri or f"pvc://data/{file.name.replace(' ', '%20')}"
    try:
        given = Csv.model_validate({"separator": separator, "decimal": decimal, "encoding": encoding})
        text = render(draft(name, file, target, positive, address, given, names))
    except ValidationError as error:
        raise click.UsageError("; ".join(f"--{entry['loc'][0]}: {entry['msg']}" for entry in error.errors())) from None
    except (Failure, UnreadableFile) as error:
        raise click.ClickException(clean(_by_option(str(error)))) from None
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {output}: read every line marked with # before you apply it")


def _by_option(message: str) -> str:
    """Here fields of spec.dataset.csv are options."""
    return re.sub(r"dataset\.csv\.(separator|decimal|encoding)", r"--\1", message)


def draft(
    name: str, file: Path, target: str, positive: str | None, uri: str, given: Csv, own_names: list[str]
) -> Draft:
    """Raises Failure or UnreadableFile."""
    table = open_table(file, given)
    header = _has_header(table.layout)
    names, repeated = _names(table.layout, header, own_names)
    rows = itertools.islice(table.rows, 1 if header else 0, None)
    columns, count = summarise(names, _checked(rows), table.layout.decimal)
    chosen = _choose(columns, target, header)
    inferred = infer_target(chosen, positive)
    features, left_out = _features(columns, chosen, inferred.name, count, repeated)
    return Draft(
        name=name,
        uri=uri,
        file=file.name,
        rows=count,
        layout=table.layout,
        columns=tuple(names) if own_names or not header else (),
        missing=tuple(sorted({word for column in columns for word in column.missing_texts if column is not chosen})),
        target=inferred,
        features=features,
        left_out=left_out,
    )


def _checked(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        yield [cell if len(cell) <= 1000 else cell[:1000] for cell in row]


def _has_header(layout: Layout) -> bool:
    """Whether the first row has no number, or no cell of it is of the kind of the cells below."""
    first, *rest = layout.rows
    numbers = [bool(NUMBER.fullmatch(cell)) for cell in first]
    if any(numbers):
        return False
    below = rest[:50]
    return not below or any(NUMBER.fullmatch(cell) for row in below for cell in row) or not set(first) & set(below[0])


def _names(layout: Layout, header: bool, given: list[str]) -> tuple[list[str], set[str]]:
    """(name of each column, names that more than one has)."""
    if given:
        if len(given) != layout.width:
            raise Failure(f"--columns has {len(given)} names, the file has {layout.width} columns (read as {layout})")
        return given, {name for name in given if given.count(name) > 1}
    if not header:
        return [f"column_{place + 1}" for place in range(layout.width)], set()
    first = [cell.strip() for cell in layout.rows[0]]
    return first + [""] * (layout.width - len(first)), {name for name in first if name and first.count(name) > 1}


def _choose(columns: list[Column], target: str, header: bool) -> Column:
    found = [column for column in columns if column.name == target]
    if not found and not header and target.isdecimal() and 1 <= int(target) <= len(columns):
        return columns[int(target) - 1]
    if len(found) == 1:
        return found[0]
    if found:
        raise Failure(f"The file has more than one column called {target}: give it a name of its own in the file")
    if not header and all(column.name.startswith("column_") for column in columns):
        raise Failure(f"The file has no header: name the target by its place, --target 1 to --target {len(columns)}")
    raise Failure(f"The file has no column called {target}. It has: {', '.join(c.name for c in columns if c.name)}")


def _features(
    columns: list[Column], target: Column, target_name: str, rows: int, repeated: set[str]
) -> tuple[tuple[InferredFeature, ...], tuple[LeftOut, ...]]:
    features: list[InferredFeature] = []
    left_out: list[LeftOut] = []
    for column in columns:
        if column is target or not column.name:
            continue
        if column.name in repeated:
            left_out.append(LeftOut(column.name, "more than one column is called so"))
            continue
        inferred = infer_feature(column, rows, [target_name, *(feature.name for feature in features)])
        if isinstance(inferred, LeftOut):
            left_out.append(inferred)
        else:
            features.append(inferred)
    if not features:
        why = "; ".join(f"{each.column}: {each.why}" for each in left_out)
        raise Failure(f"No column but {target.name} can be a feature: {why}")
    return tuple(features), tuple(left_out)
