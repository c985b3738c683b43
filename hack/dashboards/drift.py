"""Panels about drift and retraining; `selected` narrows a metric to the models of the dashboard."""

from collections.abc import Callable
from typing import Any

from hack.dashboards.parts import Series, lines

Selected = Callable[[str], str]


def drifted_features(selected: Selected, legend: str) -> Any:
    return lines(
        "Drifted features",
        "Share of the features that drifted in the latest drift check.",
        "percentunit",
        Series(selected("heartops_drift_share"), legend),
        span=6,
        most=1,
    )


def since_retraining(selected: Selected, legend: str) -> Any:
    return lines(
        "Since the last retraining",
        "Time since a run of the RetrainSchedule ended with a serving version.",
        "s",
        Series(f"time() - {selected('heartops_retraining_last_success_timestamp_seconds')}", legend),
        span=6,
    )
