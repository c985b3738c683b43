"""The result of a drift check as a terminal shows it. No I/O."""

from collections.abc import Iterator

from heart_api.checks import CheckStatus
from heart_api.driftstatus import DriftStatus, FeatureFinding
from heart_cli.schedules import DRIFT
from heart_cli.text import count

EXIT_DRIFT, EXIT_INCONCLUSIVE = 4, 5
NAMES = {"ks": "Kolmogorov-Smirnov", "chi2": "chi-square", "missing": "missing values"}


def exit_code(check: CheckStatus) -> int:
    """0: no drift; 1: the check failed; EXIT_DRIFT; EXIT_INCONCLUSIVE: too few predictions, or not confirmed."""
    if check.drift is None:
        return 1
    verdict = check.drift.verdict
    return 0 if verdict == "NoDrift" else EXIT_DRIFT if verdict == "Drift" else EXIT_INCONCLUSIVE


def check_lines(name: str, check: CheckStatus) -> Iterator[str]:
    """What was checked, the verdict, and a line for each feature, the drifted ones first."""
    where = ", ".join(f"{label}={value}" for label, value in sorted(check.where.items()))
    yield f"{name}: {check.since} to {check.until}" + (f", {where}" if where else "")
    if check.drift is None:
        yield f"failed: {check.message}"
        return
    found = check.drift
    seen = f"{count(found.samples, 'prediction')} of version {found.version}, {found.samples_before} before that"
    yield f"{DRIFT[found.verdict]} ({seen})"
    yield found.message
    yield from feature_lines(found)
    if found.report:
        yield f"report: {found.report} (kubectl heart mlflow opens MLflow)"


def feature_lines(found: DriftStatus) -> Iterator[str]:
    width = max((len(feature.name) for feature in found.features), default=0)
    for feature in found.features:
        yield f"  {feature.name:<{width}}  {mark(feature):<9}  {distance(feature)}"
    if found.omitted:
        yield f"  and {count(found.omitted, 'feature')} more, in the report"


def mark(feature: FeatureFinding) -> str:
    return "confirmed" if feature.confirmed else "drifted" if feature.drifted else "-"


def distance(feature: FeatureFinding) -> str:
    return f"distance {feature.value:.3f}, p {feature.p_value:.2g} ({NAMES[feature.statistic]})"
