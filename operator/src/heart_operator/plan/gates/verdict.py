"""Gates: the verdict on a version, from its evaluation alone.

The trainer measures (value, n, events, 95% bootstrap interval) and the operator decides, so that a changed threshold
applies without a new training. Verdicts have three values, one of them for insufficient evidence.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from heart_api.evaluation import Evaluation, ServingReference, Verdict
from heart_api.heartmodel import Gates
from heart_api.names import short_hash
from heart_operator.plan.gates.checks import CheckResult, judge_check

BINDING_FINDINGS = frozenset({"chance", "parity"})
"""These reject a version whatever the gates say; a leak does unless `gates.leakage` is Warn."""


@dataclass(frozen=True, slots=True)
class GateReport:
    """Every check's result; `verdict` is theirs together."""

    verdict: Verdict
    results: tuple[CheckResult, ...]
    gates_hash: str

    @property
    def passed(self) -> bool:
        return self.verdict == "Passed"

    @property
    def summary(self) -> str:
        """For the Gate column: `Passed 4/4`, `Failed roc_auc`, `Held recall`."""
        if self.verdict == "Passed":
            return f"Passed {len(self._of('Passed'))}/{len(self.results)}"
        word = "Failed" if self.verdict == "Failed" else "Held"
        return f"{word} {', '.join(dict.fromkeys(result.metric for result in self._of(self.verdict)))}"

    @property
    def message(self) -> str:
        """The results that decided; all of them when the gate passed."""
        decisive = self.results if self.passed else self._of(self.verdict)
        return "; ".join(result.message for result in decisive) or "no checks in spec.gates"

    def _of(self, verdict: Verdict) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if result.verdict == verdict)


def gates_hash(gates: Gates) -> str:
    """Identity of the demands: a rejection by them is judged again when they change."""
    return short_hash(json.dumps(gates.dump(), sort_keys=True))


def judge(gates: Gates, evaluation: Evaluation, serving: ServingReference | None) -> GateReport:
    """The gate's verdict on a version; `serving` is what it would replace (None: no version is serving yet)."""
    results = (
        *(judge_check(check, evaluation, serving) for check in gates.checks),
        *judge_findings(gates, evaluation),
    )
    return GateReport(overall(results, gates.on_insufficient_evidence), results, gates_hash(gates))


def overall(results: Iterable[CheckResult], on_insufficient: Literal["Hold", "Pass"]) -> Verdict:
    """Failed if any check failed. Insufficient evidence holds the version, unless the gates let it pass."""
    verdicts = {result.verdict for result in results}
    if "Failed" in verdicts:
        return "Failed"
    if "InsufficientEvidence" in verdicts and on_insufficient == "Hold":
        return "InsufficientEvidence"
    return "Passed"


def judge_findings(gates: Gates, evaluation: Evaluation) -> tuple[CheckResult, ...]:
    """The failed findings that reject a version.

    A leak, or an ONNX file that answers otherwise than its pipeline, makes every figure worthless; a model that is
    worse than chance has its classes mixed up.
    """
    binding = BINDING_FINDINGS | ({"leakage"} if gates.leakage == "Fail" else set())
    return tuple(
        CheckResult(finding.name, "Failed", f"{finding.name}: {finding.message}")
        for finding in evaluation.findings
        if finding.name in binding and finding.verdict == "Failed"
    )
