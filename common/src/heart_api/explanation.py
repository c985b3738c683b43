"""What a version needs to explain its predictions: shipped inside model.onnx, so that nothing else is ever loaded."""

from typing import Annotated, Literal

from pydantic import Field

from heart_api.base import Frozen, FrozenLenient

Method = Literal["linear", "tree", "kernel"]
Unit = Literal["log-odds", "logit", "probability", "target"]
"""What contributions are counted in. log-odds: of class 1 (binary). logit: one per class, their softmax is the
probabilities (multiclass). target: the target's own unit (regression)."""


class EncodedColumn(Frozen):
    """One input of the estimator behind the preparation: a feature's value, or (`code`) 1 where it has this code."""

    feature: Annotated[int, Field(ge=0)]
    code: Annotated[int, Field(ge=0)] | None = None


class Explanation(FrozenLenient):
    """How contributions are computed, and relative to what.

    The contributions of a record are Shapley values of the game in which the features of a coalition have the
    record's values and the others a background row's, averaged over the background (interventional; Lundberg and Lee
    2017, Janzing et al. 2020). Players are the features of the contract, including missing values.

    The background is synthetic: each column holds quantiles of its own, shuffled independently. No row of it
    describes a real case; it reveals what the reference profile reveals.
    """

    schema_version: int = 1
    method: Method
    unit: Unit
    background: Annotated[tuple[tuple[float | None, ...], ...], Field(min_length=1, max_length=1024)]
    fills: tuple[float, ...] = Field((), description="What a missing value of each feature becomes (linear, tree).")
    columns: tuple[EncodedColumn, ...] = Field((), description="The estimator's inputs in order (linear, tree).")
    coefficients: tuple[tuple[float, ...], ...] = Field((), description="[outputs][columns], unscaled (linear).")
    intercepts: tuple[float, ...] = Field(
        (), description="One for each output (linear); what is added to the trees (tree)."
    )
    unused: tuple[str, ...] = Field((), description="Features that cannot change the output (kernel).")
