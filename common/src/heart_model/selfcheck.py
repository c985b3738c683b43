"""The start-up self-check: the model must do on this machine what it did where it was trained."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from heart_api.package import ReferenceRows
from heart_model.errors import ModelRejected

Floats = npt.NDArray[np.floating[Any]]
STEPS = 16
"""Of the output's precision, by which the outputs of a regression may differ from machine to machine."""


def check_behaviour(run: Callable[[Any], Any], reference: ReferenceRows, features: int) -> None:
    """Repeat the reference rows. Raises ModelRejected for NaN, a constant, or outputs other than the stored ones."""
    inputs = as_matrix(reference.inputs, features)
    expected = np.asarray(reference.outputs, np.float64)
    if len(expected) != len(inputs):
        raise ModelRejected("self-check: the package has not one stored output for each reference row")
    outputs = run_reference(run, inputs)
    if outputs.shape != expected.shape:
        raise ModelRejected(f"self-check: outputs have shape {outputs.shape}, stored are {expected.shape}")
    if not np.isfinite(outputs).all() or not np.isfinite(expected).all():
        raise ModelRejected("self-check: the model answers NaN or infinity on its reference rows")
    if is_constant(inputs, outputs):
        raise ModelRejected("self-check: the model gives the same answer to every reference row")
    apart, allowed = np.abs(outputs - expected), allowed_difference(reference, expected, outputs.dtype)
    if (apart > allowed).any():
        worst = np.unravel_index(np.argmax(apart / allowed), apart.shape)
        raise ModelRejected(
            f"self-check: outputs differ from those stored at training by {apart[worst]:.3g},"
            f" more than the tolerance {allowed[worst]:.3g}"
        )


def allowed_difference(reference: ReferenceRows, expected: Floats, precision: Any, slack: float = 1) -> Floats:
    """How far each output may be from the stored one. `precision`: the type of the model's output."""
    size = np.abs(expected)
    if reference.scale is None:
        return np.asarray(slack * reference.tolerance * np.maximum(1.0, size))
    steps = STEPS * np.spacing(size.astype(precision)).astype(np.float64)
    return np.asarray(slack * (reference.tolerance * reference.scale + steps))


def as_matrix(rows: tuple[tuple[float | None, ...], ...], features: int) -> npt.NDArray[np.float32]:
    """float32 [rows, features], None as NaN."""
    if {len(row) for row in rows} != {features}:
        raise ModelRejected(f"self-check: reference rows do not have the contract's {features} features")
    return np.array([[np.nan if value is None else value for value in row] for row in rows], np.float32)


def run_reference(run: Callable[[Any], Any], inputs: npt.NDArray[np.float32]) -> Floats:
    try:
        return np.asarray(run(inputs))
    except Exception as error:  # whatever the runtime raises, this model cannot answer
        raise ModelRejected(f"self-check: the model fails on its reference rows ({type(error).__name__})") from None


def is_constant(inputs: npt.NDArray[np.float32], outputs: Floats) -> bool:
    """One answer for different questions. A single reference row proves nothing either way."""
    different = len(np.unique(inputs, axis=0)) > 1
    return different and bool((outputs == outputs[0]).all())
