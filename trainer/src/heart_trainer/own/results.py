"""What a trainer of one's own left in a folder that it could write as it pleased. Nothing of it is believed."""

import os
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from heart_api.owntrainer import REPORT
from heart_model.limits import MAX_MODEL_BYTES
from heart_trainer.errors import TrainerFailed
from heart_trainer.own.contract import MODEL, PREDICTIONS, Report

MAX_TABLE_BYTES = 64 << 20
MAX_REPORT_BYTES = 1 << 16
NUMBERS = frozenset({"FLOAT", "DOUBLE", "INT32", "INT64"})
SHOWN = 1500
"""Characters of the program's last lines that people see."""


def check_ending(folder: Path) -> Report:
    """How the program ended. Raises TrainerFailed unless it ended well."""
    try:
        report = Report.model_validate_json(read(folder, REPORT, MAX_REPORT_BYTES))
    except ValidationError:
        raise TrainerFailed(f"The trainer's {REPORT} is not the launcher's: it was written by the program.") from None
    if report.timed_out:
        raise TrainerFailed(
            f"The trainer was ended after {report.seconds:.0f} s, three quarters of spec.training.timeoutSeconds: "
            f"raise that, or make it quicker.{_said(report)}"
        )
    if report.exit_code:
        raise TrainerFailed(f"The trainer ended with exit code {report.exit_code}.{_said(report)}")
    return report


def read_model(folder: Path) -> bytes:
    """Bytes of the ONNX file, not yet looked at. Raises TrainerFailed."""
    return read(folder, MODEL, MAX_MODEL_BYTES)


def read_predictions(folder: Path, rows: int, width: int) -> NDArray[np.float64]:
    """[rows, width]. Raises TrainerFailed."""
    data = read(folder, PREDICTIONS, MAX_TABLE_BYTES)
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        check_numbers(file)
        found = (file.metadata.num_rows, file.metadata.num_columns)
        if found != (rows, width):
            raise TrainerFailed(
                f"The trainer's {PREDICTIONS} has {found[0]} rows and {found[1]} columns; {rows} and {width} are "
                "needed: one row for each probe, one column for each class, or one of values."
            )
        columns = [column.to_numpy() for column in file.read().columns]
        return np.column_stack(columns).astype(np.float64)
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise TrainerFailed(
            f"The trainer's {PREDICTIONS} is not a Parquet file of numbers ({type(error).__name__})."
        ) from error


def check_numbers(file: pq.ParquetFile) -> None:
    """Before anything is unpacked: few bytes of text may become gigabytes. Raises TrainerFailed."""
    columns = [file.schema.column(k) for k in range(len(file.schema))]
    plain = all(column.physical_type in NUMBERS and column.max_repetition_level == 0 for column in columns)
    groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
    if not plain or sum(group.total_byte_size for group in groups) > MAX_TABLE_BYTES:
        raise TrainerFailed(f"The trainer's {PREDICTIONS} holds something else than plain columns of numbers.")


def read(folder: Path, name: str, most: int) -> bytes:
    """A regular file of the folder itself: no link leads out of it, no pipe waits. Raises TrainerFailed."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise TrainerFailed(f"The trainer ended without a file {name} among its results.") from None
    except OSError as error:
        raise TrainerFailed(f"The trainer's {name} is not a file that can be read ({error.strerror}).") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise TrainerFailed(f"The trainer's {name} is not a file.")
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > most:
            raise TrainerFailed(f"The trainer's {name} has {found.st_size} bytes; at most {most} are read.")
        return file.read(most)


def _said(report: Report) -> str:
    """The program's last words, made harmless: one line each, without control characters."""
    lines = ("".join(char for char in line if char.isprintable()) for line in report.last_lines.splitlines())
    text = " | ".join(line.strip() for line in lines if line.strip())
    return f" Its last lines: {text[-SHOWN:]}" if text else " It printed nothing."
