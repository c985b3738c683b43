"""The operator itself."""

from typing import Any

from hack.dashboards.parts import Series, frame, label_values, lines, numbers, with_row
from hack.dashboards.queries import QUANTILES, RATE, percent, quantile, selected

HERE = 'namespace="$namespace"'
CONTAINER = f'{HERE},container="operator"'
OF_OPERATOR = (
    f"* on (namespace, pod) group_left () max by (namespace, pod) (heartops_is_leader{selected(HERE)} * 0 + 1)"
)
"""Joins what any process of the namespace exports with the operator's pods."""


def build() -> Any:
    board = frame("Operator", "Reconciles, queue and resources of the operator.").with_variable(
        label_values("namespace", "namespace", "heartops_is_leader")
    )
    for row in (state, reconciles, resources):
        title, *panels = row()
        board = with_row(board, title, *panels)
    return board.build()


def state() -> tuple[Any, ...]:
    blocked = "sum by (namespace, kind, name, cause) (heartops_blocked_workloads) or vector(0)"
    started = f"process_start_time_seconds{selected(HERE)}"
    return (
        "State",
        numbers(
            "Leader",
            "1 for the replica that holds the Lease.",
            "none",
            Series(f"heartops_is_leader{selected(HERE)}", "{{pod}}"),
            span=6,
        ),
        numbers(
            "Registry",
            "1 if the latest read of the MLflow server succeeded.",
            "none",
            Series(f"heartops_registry_available{selected(HERE)}", "{{server}}"),
            span=6,
        ),
        numbers(
            "Uptime",
            "Time since the operator's process started.",
            "s",
            Series(f"(time() - {started}) {OF_OPERATOR}", "{{pod}}"),
            span=6,
        ),
        numbers(
            "Blocked workloads",
            "Jobs and Deployments of models and of HeartOps whose pods do not run.",
            "none",
            Series(blocked, "{{namespace}} {{kind}} {{name}}: {{cause}}"),
            span=6,
        ),
    )


def reconciles() -> tuple[Any, ...]:
    duration = f"heartops_reconcile_duration_seconds{selected(HERE)}"

    def rate(name: str) -> str:
        return f"sum (rate({name}{selected(HERE)}{RATE}))"

    return (
        "Reconciles",
        lines(
            "Reconciles",
            "Reconciles per second, and failed ones, which are retried.",
            "ops",
            Series(rate("heartops_reconcile_duration_seconds_count"), "total"),
            Series(rate("heartops_reconcile_errors_total"), "failed"),
        ),
        lines(
            "Reconcile duration",
            "Duration of a HeartModel's reconcile.",
            "s",
            *(Series(quantile(of, duration), percent(of)) for of in QUANTILES),
        ),
        lines(
            "Work queue depth",
            "HeartModels that wait for a reconcile.",
            "short",
            Series(f"sum (heartops_workqueue_depth{selected(HERE)})", "waiting"),
        ),
    )


def resources() -> tuple[Any, ...]:
    return (
        "Resources",
        lines(
            "CPU",
            "Processor cores that the operator uses.",
            "none",
            Series(f"sum by (pod) (rate(container_cpu_usage_seconds_total{selected(CONTAINER)}{RATE}))", "{{pod}}"),
        ),
        lines(
            "Memory",
            "Working set of the operator, as the kubelet measures and limits it.",
            "bytes",
            Series(f"sum by (pod) (container_memory_working_set_bytes{selected(CONTAINER)})", "{{pod}}"),
        ),
        lines(
            "Open files",
            "File descriptors of the operator's process.",
            "short",
            Series(f"process_open_fds{selected(HERE)} {OF_OPERATOR}", "{{pod}}"),
        ),
    )
