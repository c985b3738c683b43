"""All models: DORA's four key metrics, running rollouts, retraining."""

from typing import Any

from hack.dashboards.drift import drifted_features, since_retraining
from hack.dashboards.parts import Series, bars, frame, label_values, lines, numbers, stacked, with_row
from hack.dashboards.queries import RANGE, quantile, selected

OF_MODELS = 'namespace=~"$namespace",model=~"$model"'
MODEL = "{{namespace}}/{{model}}"
BY_MODEL = "namespace, model"


def build() -> Any:
    board = (
        frame("Rollouts", "Delivery, rollouts and retraining of all models.", since="now-7d")
        .with_variable(label_values("namespace", "namespace", "heartops_model_track", every=True))
        .with_variable(label_values("model", "model", 'heartops_model_track{namespace=~"$namespace"}', every=True))
    )
    for row in (delivery, delivery_by_model, running, retraining, waiting):
        title, *panels = row()
        board = with_row(board, title, *panels)
    return board.build()


def of(name: str, *more: str) -> str:
    return name + selected(OF_MODELS, *more)


def counted(*results: str, by: str = "") -> str:
    """Rollouts that ended with one of the results, in the time range."""
    result = f'result=~"{"|".join(results)}"'
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (increase({of('heartops_rollouts_total', result)}{RANGE}))"


def failure_rate(by: str = "") -> str:
    return f"{counted('rejected', 'rolled_back', by=by)} / ({counted('promoted', 'rejected', by=by)} > 0)"


def delivery() -> tuple[Any, ...]:
    def middle(name: str) -> Series:
        return Series(quantile(0.5, of(name), window=RANGE), "median")

    return (
        "Delivery (DORA), in the time range",
        numbers(
            "Deployment frequency",
            "Versions that became the stable version, per day.",
            "none",
            Series(f"{counted('promoted')} / ($__range_s / 86400)", "per day"),
            span=6,
        ),
        numbers(
            "Lead time for changes",
            "Median time from the start of a version's training to its promotion.",
            "s",
            middle("heartops_lead_time_seconds"),
            span=6,
        ),
        numbers(
            "Change failure rate",
            "Share of the rollouts that were rejected or rolled back after they had traffic. Versions that fail their"
            " gates do not count: they have none.",
            "percentunit",
            Series(failure_rate(), "failed"),
            span=6,
        ),
        numbers(
            "Time to restore",
            "Median time from the rollout (rolled back: the promotion) of a failed version until it was taken back.",
            "s",
            middle("heartops_time_to_restore_seconds"),
            span=6,
        ),
    )


def delivery_by_model() -> tuple[Any, ...]:
    return (
        "Delivery by model",
        bars(
            "Deployments",
            "Versions that became the stable version.",
            "short",
            Series(counted("promoted", by=BY_MODEL), MODEL),
        ),
        bars(
            "Change failure rate by model",
            "Share of the rollouts that were rejected or rolled back.",
            "percentunit",
            Series(failure_rate(BY_MODEL), MODEL),
        ),
        bars(
            "Rollouts",
            "Rollouts by result; gate_failed: versions that their gates rejected before a rollout; experiment_lost: by"
            " their users' outcomes.",
            "short",
            Series(f"sum by (result) (increase({of('heartops_rollouts_total')}{RANGE}))", "{{result}}"),
        ),
    )


def running() -> tuple[Any, ...]:
    version = f"{MODEL} version {{{{version}}}}"
    return (
        "Running rollouts",
        lines(
            "Candidate weight",
            "Actual traffic weight of each candidate.",
            "percent",
            Series(of("heartops_candidate_weight", 'kind="actual"'), version),
        ),
        numbers(
            "Analysis verdicts",
            "Verdict of each candidate's latest analysis interval.",
            "short",
            Series(of("heartops_analysis_verdict"), f"{version}: {{{{verdict}}}}"),
            only_names=True,
        ),
        lines(
            "Consecutive failures",
            "Consecutive failed analysis intervals of each candidate.",
            "short",
            Series(of("heartops_analysis_consecutive_failures"), version),
        ),
    )


def retraining() -> tuple[Any, ...]:
    trainings = of("heartops_trainings_total")
    duration = of("heartops_training_duration_seconds")
    schedule = f"{MODEL} {{{{schedule}}}}"
    return (
        "Training and retraining",
        bars(
            "Trainings",
            "Finished training and evaluation Jobs, by trigger and result.",
            "short",
            Series(f"sum by (trigger, result) (increase({trainings}{RANGE}) > 0)", "{{trigger}}, {{result}}"),
            span=6,
        ),
        numbers(
            "Training duration",
            "Duration of training and evaluation Jobs.",
            "s",
            *(Series(quantile(part, duration, window=RANGE), f"p{part * 100:g}") for part in (0.5, 0.95)),
            span=6,
        ),
        drifted_features(of, schedule),
        since_retraining(of, schedule),
    )


def waiting() -> tuple[Any, ...]:
    return (
        "Waiting",
        stacked(
            "Blocked workloads",
            "Jobs and Deployments whose pods do not run, by cause.",
            "short",
            Series(f"sum by (cause) ({of('heartops_blocked_workloads')}) or vector(0)", "{{cause}}"),
            span=12,
        ),
        stacked(
            "Waiting for a quota",
            "Models that wait for a quota of their namespace.",
            "short",
            Series(
                f"sum by (namespace, quota) ({of('heartops_quota_waiting')}) or vector(0)", "{{namespace}} {{quota}}"
            ),
            span=12,
        ),
    )
