"""Prometheus metrics of rollouts, read from the latest status; a finished rollout leaves no series."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.heartmodel import AnalysisStatus, CandidateStatus, HeartModelStatus, MirrorStatus
from heart_api.status import ExperimentStatus
from heart_operator.plan.analysis.counts import Counts
from heart_operator.plan.analysis.shares import FALSE_ALARM, FALSE_PRAISE
from heart_operator.plan.analysis.shift import prediction_shift

NAMES = ("namespace", "model", "version")
Values = tuple[tuple[str, ...], float]
"""Values of the labels that a family has besides NAMES, and the sample's."""


class RolloutCollector(Collector):
    """Candidates of all models."""

    def __init__(self) -> None:
        self.models: dict[tuple[str, str], HeartModelStatus] = {}

    def collect(self) -> Iterable[Metric]:
        weight = family(
            "heartops_candidate_weight", "Traffic weight of the candidate in percent: desired and actual.", "kind"
        )
        verdict = family("heartops_analysis_verdict", "1 for the verdict of the latest analysis interval.", "verdict")
        bad = family(
            "heartops_analysis_consecutive_failures", "Consecutive failed analysis intervals of the candidate."
        )
        shift = family(
            "heartops_prediction_shift",
            "Population stability index between the outputs of the candidate and the stable version.",
        )
        differing = family("heartops_mirror_different_share", "Share of mirrored requests whose predictions differ.")
        arm = family(
            "heartops_experiment_arm", "Figure of an experiment's arm: value, low, high, count.", "arm", "part"
        )
        difference = family(
            "heartops_experiment_difference",
            "The candidate's figure less the stable version's, with its bounds: value, low, high.",
            "part",
        )
        outcome = family("heartops_experiment_verdict", "1 for the experiment's verdict so far.", "verdict")
        for key, status in sorted(self.models.items()):
            if candidate := status.candidate:
                labels = (*key, candidate.version)
                add(weight, labels, weights(candidate))
                add(verdict, labels, verdicts(candidate.analysis))
                add(bad, labels, consecutive_failures(candidate.analysis))
                add(shift, labels, shifts(candidate.analysis))
                add(differing, labels, differences(candidate.mirror))
                if experiment := candidate.experiment:
                    add(arm, labels, arms(experiment))
                    add(difference, labels, bounded_difference(experiment))
                    add(outcome, labels, iter([((experiment.verdict,), 1.0)]))
        return weight, verdict, bad, shift, differing, arm, difference, outcome


def family(name: str, text: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[*NAMES, *more])


def add(found: GaugeMetricFamily, labels: tuple[str, ...], values: Iterator[Values]) -> None:
    for more, value in values:
        found.add_metric([*labels, *more], value)


def weights(candidate: CandidateStatus) -> Iterator[Values]:
    yield ("desired",), candidate.weight
    yield ("actual",), candidate.actual_weight


def verdicts(analysis: AnalysisStatus | None) -> Iterator[Values]:
    if analysis:
        yield (analysis.verdict,), 1


def consecutive_failures(analysis: AnalysisStatus | None) -> Iterator[Values]:
    if analysis:
        yield (), analysis.consecutive_failures


def shifts(analysis: AnalysisStatus | None) -> Iterator[Values]:
    """None before there are enough outputs to compare."""
    if analysis:
        both = Counts.load(analysis.stable), Counts.load(analysis.candidate)
        if shift := prediction_shift(*both, alpha_low=FALSE_ALARM, alpha_high=FALSE_PRAISE):
            yield (), max(shift.value, 0.0)


def arms(experiment: ExperimentStatus) -> Iterator[Values]:
    """Figures appear with the first outcomes; counts are there from the beginning."""
    for name, arm in (("stable", experiment.stable), ("candidate", experiment.candidate)):
        yield (name, "count"), arm.count
        yield from known((name,), value=arm.mean, low=arm.low, high=arm.high)


def bounded_difference(experiment: ExperimentStatus) -> Iterator[Values]:
    yield from known((), value=experiment.difference, low=experiment.low, high=experiment.high)


def known(labels: tuple[str, ...], **parts: float | None) -> Iterator[Values]:
    for part, value in parts.items():
        if value is not None:
            yield (*labels, part), value


def differences(mirror: MirrorStatus | None) -> Iterator[Values]:
    if mirror and mirror.compared:
        yield (), mirror.different / mirror.compared
