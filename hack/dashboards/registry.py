"""MLflow, PostgreSQL and their volumes."""

from typing import Any

from hack.dashboards.parts import Series, frame, label_values, lines, numbers, with_row
from hack.dashboards.queries import QUANTILES, RATE, percent, quantile, selected

HERE = 'namespace="$namespace"'
PODS = f'{HERE},container=~"mlflow|postgresql"'
DATABASES = f'{HERE},datname=~"mlflow|heartops"'
CLAIMS = f'{HERE},persistentvolumeclaim=~".*-(mlflow|postgresql-0)"'
CLAIM = "{{persistentvolumeclaim}}"


def build() -> Any:
    board = frame("Registry", "MLflow, PostgreSQL and their volumes.").with_variable(
        label_values("namespace", "namespace", "heartops_is_leader")
    )
    for row in (mlflow, database, queries, resources):
        title, *panels = row()
        board = with_row(board, title, *panels)
    return board.build()


def mlflow() -> tuple[Any, ...]:
    requests = f"mlflow_http_request_total{selected(HERE)}"
    failed = "mlflow_http_request_total" + selected(HERE, 'status=~"5.."')
    duration = f"mlflow_http_request_duration_seconds{selected(HERE)}"
    return (
        "MLflow",
        lines(
            "Requests",
            "Requests per second to MLflow, by status.",
            "reqps",
            Series(f"sum by (status) (rate({requests}{RATE}))", "{{status}}"),
        ),
        lines(
            "Request duration",
            "Duration of requests to MLflow.",
            "s",
            *(Series(quantile(of, duration), percent(of)) for of in QUANTILES),
        ),
        lines(
            "Error rate",
            "Share of the requests that MLflow answered with 5xx.",
            "percentunit",
            Series(
                f"(sum (rate({failed}{RATE})) or vector(0)) / (sum (rate({requests}{RATE})) > 0)", "failed with 5xx"
            ),
        ),
    )


def database() -> tuple[Any, ...]:
    size = f"pg_database_size_bytes{selected(DATABASES)}"
    connections = f"pg_stat_database_numbackends{selected(DATABASES)}"
    limit = f"max (pg_settings_max_connections{selected(HERE)})"
    return (
        "PostgreSQL",
        numbers("Up", "1 if the server answers.", "none", Series(f"pg_up{selected(HERE)}", "{{pod}}"), span=6),
        lines(
            "Database size",
            "Size of MLflow's database and of the prediction log's.",
            "bytes",
            Series(f"sum by (datname) ({size})", "{{datname}}"),
            span=6,
        ),
        lines(
            "Connections",
            "Connections by database, and the server's limit.",
            "short",
            Series(f"sum by (datname) ({connections})", "{{datname}}"),
            Series(limit, "limit"),
            span=6,
        ),
        lines(
            "Deadlocks",
            "Deadlocks per second.",
            "ops",
            Series(f"sum by (datname) (rate(pg_stat_database_deadlocks{selected(DATABASES)}{RATE}))", "{{datname}}"),
            span=6,
        ),
    )


def queries() -> tuple[Any, ...]:
    def rate(name: str) -> str:
        return f"sum by (datname) (rate(pg_stat_database_{name}{selected(DATABASES)}{RATE}))"

    hits, reads = rate("blks_hit"), rate("blks_read")
    return (
        "Queries",
        lines(
            "Transactions",
            "Transactions per second, committed and rolled back.",
            "ops",
            Series(rate("xact_commit"), "{{datname}}, committed"),
            Series(rate("xact_rollback"), "{{datname}}, rolled back"),
        ),
        lines(
            "Rows",
            "Rows read and written per second.",
            "ops",
            Series(rate("tup_fetched"), "{{datname}}, read"),
            Series(rate("tup_inserted"), "{{datname}}, inserted"),
        ),
        lines(
            "Cache hits",
            "Share of the blocks that were in PostgreSQL's cache.",
            "percentunit",
            Series(f"{hits} / ({hits} + {reads} > 0)", "{{datname}}"),
            most=1,
        ),
    )


def resources() -> tuple[Any, ...]:
    used, capacity = (f"kubelet_volume_stats_{what}_bytes{selected(CLAIMS)}" for what in ("used", "capacity"))
    return (
        "Resources",
        lines(
            "CPU",
            "Processor cores that MLflow and PostgreSQL use.",
            "none",
            Series(f"sum by (pod) (rate(container_cpu_usage_seconds_total{selected(PODS)}{RATE}))", "{{pod}}"),
            span=6,
        ),
        lines(
            "Memory",
            "Working set of MLflow and PostgreSQL.",
            "bytes",
            Series(f"sum by (pod) (container_memory_working_set_bytes{selected(PODS)})", "{{pod}}"),
            span=6,
        ),
        lines("Volumes", "Bytes used.", "bytes", Series(used, CLAIM), span=6),
        lines("Volumes filled", "Used share.", "percentunit", Series(f"{used} / {capacity}", CLAIM), span=6, most=1),
    )
