"""The model file: how its tensors are called, and all that serving knows of a version, stored inside it."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from heart_api.base import Frozen, FrozenLenient
from heart_api.contract import Feature, Target
from heart_api.evaluation import Estimate, Task
from heart_api.explanation import Explanation

MODEL_FILE = "model.onnx"
"""File name below the model version's own artifact root (MLflow's ONNX flavour)."""
PACKAGE_KEY = "heartops.package"
"""Key of the ServingPackage (JSON) in the ONNX file's metadata_props: one file, one digest, nothing beside it."""
ONNX_INPUT = "features"
"""float32 [rows, features], encoded as `Feature` says."""
ONNX_OUTPUT = "output"
"""float32: [rows, classes] probabilities for binary and multiclass, [rows, 1] for regression (float64 if `double`)."""


ExampleValue = StrictBool | StrictInt | StrictFloat | StrictStr


class ReferenceRows(Frozen):
    """Rows and the outputs the trainer got from this very ONNX file; serving repeats them before it is ready."""

    inputs: Annotated[tuple[tuple[float | None, ...], ...], Field(min_length=1)]
    outputs: Annotated[tuple[tuple[float, ...], ...], Field(min_length=1)]
    tolerance: float = 1e-5
    scale: float | None = None
    """One standard deviation of a regression's target: `tolerance` is a share of it, besides the output's precision.
    None: outputs up to 1 are compared absolutely, larger ones relative to their size."""


class ServingPackage(FrozenLenient):
    """All that serving knows of a version, stored inside model.onnx under PACKAGE_KEY."""

    schema_version: int = 1
    registry_name: str
    task: Task
    algorithm: str
    features: tuple[Feature, ...]
    target: Target
    classes: tuple[int | str, ...] = ()
    threshold: float = 0.5
    double: bool = Field(False, description="The output is float64: float32 is too coarse for the target.")
    synthetic: bool = False
    metrics: dict[str, Estimate] = {}
    reference: ReferenceRows
    explanation: Explanation | None = None
    example: dict[str, ExampleValue] = Field(
        {}, description="A typical record: the median or most frequent value of each feature in training."
    )
