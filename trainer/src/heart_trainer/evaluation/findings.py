"""Checks of the method itself, each a finding for the evaluation; the gate says which of them bind."""

import pandas as pd

from heart_api.contract import Feature, Target
from heart_api.evaluation import Estimate, Finding, Verdict
from heart_trainer.data.classes import is_ordered_by_alphabet
from heart_trainer.evaluation.leaks import leakage, learnt_rows
from heart_trainer.values import Fitted, Parity, Table

MANY_DUPLICATES = 0.1
KNOWN_BEFORE = "the trainer's image may hold rows of this dataset: look at how it was built"
"""A trainer of one's own never gets the rows that judge it; it could have brought them."""
CHANCE = {"roc_auc": 0.5, "r2": 0.0}
"""What a model reaches that knows nothing: it ranks at random, or predicts the mean."""


def training_findings(
    table: Table, features: tuple[Feature, ...], target: Target, metrics: dict[str, Estimate], fitted: Fitted
) -> tuple[Finding, ...]:
    """The findings of a training: leakage, chance, duplicates, positive class, ONNX parity, families left out."""
    by_us = fitted.pipeline is not None
    return (
        leakage(table, features, metrics) if by_us else learnt_rows(table, features, metrics, KNOWN_BEFORE),
        *better_than_chance(metrics),
        duplicates(table),
        *positive_class(table, target),
        onnx_parity(fitted.parity),
        *fitted.left_out,
    )


def better_than_chance(metrics: dict[str, Estimate]) -> tuple[Finding, ...]:
    """Failed where the whole interval is below chance: classes that were mixed up, or a model of other data."""
    found = [(name, metrics[name], chance) for name, chance in CHANCE.items() if name in metrics]
    return tuple(_against_chance(name, figure, chance) for name, figure, chance in found)


def _against_chance(name: str, figure: Estimate, chance: float) -> Finding:
    measured = f"{name} {figure.estimate:.3f} ({figure.low:.3f} to {figure.high:.3f})"
    if figure.high >= chance:
        return _finding("chance", "Passed", f"{measured} is not below chance ({chance:g})")
    advice = "are the classes in the right order?" if name == "roc_auc" else "the mean alone predicts better"
    return _finding("chance", "Failed", f"{measured} is worse than chance ({chance:g}): {advice}")


def duplicates(table: Table) -> Finding:
    """Repeated rows, and equal inputs with different outcomes. Equal rows share a fold, so nothing leaks by them."""
    share = table.duplicates / len(table)
    message = f"{table.duplicates} of {len(table)} rows ({share:.0%}) repeat another one (equal rows share a fold)"
    if conflicts := _conflicting(table):
        message += f"; {conflicts} rows have equal inputs and different outcomes"
    if share <= MANY_DUPLICATES:
        return _finding("duplicates", "Passed", message)
    remark = "coarse features make different cases equal; if the file holds cases twice, give each once"
    return _finding("duplicates", "InsufficientEvidence", f"{message}: {remark}")


def _conflicting(table: Table) -> int:
    """Rows of groups (equal inputs) that hold more than one outcome."""
    if table.task == "regression":
        return 0
    outcomes = pd.Series(table.y).groupby(table.groups)
    return int((outcomes.transform("min") != outcomes.transform("max")).sum())


def positive_class(table: Table, target: Target) -> tuple[Finding, ...]:
    """Says so where nobody chose which of two text classes is the positive one."""
    if not is_ordered_by_alphabet(table.classes, target):
        return ()
    negative, positive = table.classes
    message = (
        f"{positive} is the positive class, because it comes after {negative} in the alphabet: "
        "name the right one in spec.target.positive"
    )
    return (_finding("positive-class", "InsufficientEvidence", message),)


def not_compared(version: str, why: str) -> Finding:
    """The finding that the candidate could not be compared with the serving version, and why."""
    message = f"not compared with version {version}, the serving version: {why}"
    return _finding("comparison", "InsufficientEvidence", message)


def onnx_parity(parity: Parity) -> Finding:
    verdict: Verdict = "Passed" if parity.holds else "Failed"
    message = f"pipeline and ONNX model differ by at most {parity.difference:.1e} (bound {parity.allowed:.1e})"
    return _finding("parity", verdict, message)


def in_sample(advice: str) -> Finding:
    """Nobody knows whether a version from outside has learnt the rows that it is measured on."""
    return _finding("in-sample", "InsufficientEvidence", f"not out of fold, a best case: {advice}")


def _finding(name: str, verdict: Verdict, message: str) -> Finding:
    return Finding(name=name, verdict=verdict, message=message)
