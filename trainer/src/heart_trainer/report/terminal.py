"""What a person at a terminal reads at the end of a training."""

from collections.abc import Iterator

from heart_api.evaluation import Estimate, Evaluation
from heart_trainer.report.wording import figure, title

MARKS = {"Passed": "ok", "Failed": "FAILED", "InsufficientEvidence": "unclear"}


def report(evaluation: Evaluation) -> str:
    return "\n".join([*_metrics(evaluation), *_slices(evaluation), *_comparison(evaluation), *_findings(evaluation)])


def _metrics(evaluation: Evaluation) -> Iterator[str]:
    synthetic = ", SYNTHETIC data" if evaluation.synthetic else ""
    how = "out of fold" if evaluation.out_of_fold_sha256 else "not out of fold"
    yield f"\n{evaluation.algorithm}, {evaluation.rows} rows{synthetic}; {how}, 95% intervals"
    yield from (f"  {title(name):<24}{figure(estimate)}" for name, estimate in evaluation.metrics.items())


def _slices(evaluation: Evaluation) -> Iterator[str]:
    metric = {"binary": "recall", "multiclass": "accuracy", "regression": "rmse"}[evaluation.task]
    told = [(part, part.metrics[metric]) for part in evaluation.slices if metric in part.metrics]
    if told:
        yield f"\n{title(metric)} by group"
    yield from (f"  {f'{part.feature} {part.group}':<24}{figure(found)}{_evidence(found)}" for part, found in told)


def _evidence(found: Estimate) -> str:
    return f"  n={found.n}" + (f", {found.events} events" if found.events is not None else "")


def _comparison(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.comparison:
        yield f"\nless version {evaluation.comparison.against.version}, which serves (paired)"
        for name, found in evaluation.comparison.metrics.items():
            yield f"  {title(name):<24}{found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _findings(evaluation: Evaluation) -> Iterator[str]:
    yield "\nchecks of the method"
    yield from (f"  {finding.name:<12}{MARKS[finding.verdict]:<9}{finding.message}" for finding in evaluation.findings)
