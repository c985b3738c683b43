"""One HeartModel: its versions compared."""

from typing import Any

from hack.dashboards.drift import drifted_features, since_retraining
from hack.dashboards.parts import Series, bars, frame, label_values, lines, numbers, signed, stacked, with_row
from hack.dashboards.queries import QUANTILES, RANGE, RATE, percent, quantile, selected, share

OF_SERVING = 'namespace="$namespace",model_name="$model"'
"""Metrics of the serving pods."""
OF_OPERATOR = 'namespace="$namespace",model="$model"'
OF_CONTAINERS = 'namespace="$namespace",container!=""'
OF_TRAINING = r'namespace="$namespace",pod=~"$model-(train|evaluate)-[0-9a-f]{8}-.*",container!=""'
VERSION = "version {{model_version}}"
CPU, MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"


def build() -> Any:
    board = (
        frame("Model", "A HeartModel: its versions compared.")
        .with_variable(label_values("namespace", "namespace", "heartops_model_track"))
        .with_variable(label_values("model", "model", 'heartops_model_track{namespace="$namespace"}'))
    )
    rows = (versions, traffic, errors, feedback, outputs, candidate, experiment, retraining, resources, prediction_log)
    for row in rows:
        title, *panels = row()
        board = with_row(board, title, *panels)
    return board.build()


def served(name: str, *more: str) -> str:
    return name + selected(OF_SERVING, *more)


def operated(name: str, *more: str) -> str:
    return name + selected(OF_OPERATOR, *more)


def per_version(name: str, *more: str) -> Series:
    return Series(f"sum by (model_version) (rate({served(name, *more)}{RATE}))", VERSION)


def versions() -> tuple[Any, ...]:
    rollouts = f"sum by (result) (increase({operated('heartops_rollouts_total')}{RANGE}))"
    return (
        "Versions",
        numbers(
            "Roles",
            "Role of each version: stable, candidate or previous.",
            "short",
            Series(operated("heartops_model_track"), "{{track}}: version {{version}}"),
            only_names=True,
        ),
        numbers(
            "Analysis verdict",
            "Verdict of the candidate's latest analysis interval: Passed, Failed or Inconclusive.",
            "short",
            Series(operated("heartops_analysis_verdict"), "version {{version}}: {{verdict}}"),
            only_names=True,
        ),
        numbers(
            "Rollouts",
            "Versions promoted, rejected, rolled back, or rejected by gates or experiments, in the time range.",
            "short",
            Series(rollouts, "{{result}}"),
        ),
    )


def traffic() -> tuple[Any, ...]:
    requests = per_version("http_requests_total").expression
    total = requests.replace("sum by (model_version)", "sum")
    weight = Series(operated("heartops_candidate_weight"), "version {{version}}, {{kind}}")
    return (
        "Traffic",
        lines("Requests", "Requests per second.", "reqps", per_version("http_requests_total"), span=6),
        lines("Predictions", "Predicted records per second.", "ops", per_version("predictions_total"), span=6),
        lines(
            "Traffic share",
            "Share of the requests that each version answers.",
            "percentunit",
            Series(f"{requests} / on () group_left () {total}", VERSION),
            span=6,
            most=1,
        ),
        lines(
            "Candidate weight",
            "Traffic weight of the candidate: desired by the step, and actual.",
            "percent",
            weight,
            span=6,
        ),
    )


def errors() -> tuple[Any, ...]:
    requests = served("http_requests_total")
    failed, invalid = (served("http_requests_total", code) for code in ('code=~"5.."', 'code="422"'))
    latency = [
        Series(quantile(of, served("prediction_latency_seconds"), "model_version"), f"{VERSION}, {percent(of)}")
        for of in QUANTILES
    ]
    stages = [
        Series(quantile(0.95, served(f"request_{stage}_seconds")), stage)
        for stage in ("preprocess", "predict", "postprocess")
    ]
    return (
        "Errors and latency",
        lines(
            "Error rate",
            "Share of the requests that failed with 5xx.",
            "percentunit",
            Series(share(failed, requests, "model_version"), VERSION),
            span=6,
        ),
        lines(
            "Invalid requests",
            "Share of the requests rejected with 422 because they violate the data contract.",
            "percentunit",
            Series(share(invalid, requests, "model_version"), VERSION),
            span=6,
        ),
        lines("Latency", "From the complete request to the response.", "s", *latency, span=6),
        lines("Latency by stage (p95)", "Parsing and validation, ONNX run, response.", "s", *stages, span=6),
    )


def quality(metric: str) -> Series:
    """Every pod of a version knows the same figure."""
    known = served(f"model_{metric}")
    return Series(f"max by (model_version, source) ({known})", "version {{model_version}}, {{source}}")


def measured(title: str, metric: str, text: str) -> Any:
    text = f"{text}, from reported outcomes (feedback) or estimated from calibrated probabilities (estimated)."
    return lines(title, text, "percentunit", quality(metric), span=6, most=1)


def feedback() -> tuple[Any, ...]:
    outcomes = f"sum by (result) (rate({served('feedback_total')}{RATE}))"
    errors = [
        Series(f"max by (model_version) ({served(f'model_{metric}')})", f"{VERSION}, {metric.upper()}")
        for metric in ("mae", "rmse")
    ]
    return (
        "Quality by outcomes",
        measured("Accuracy", "accuracy", "Share of correct predictions"),
        measured(
            "Precision", "precision", "Share of positive predictions that are correct; macro average of several classes"
        ),
        measured(
            "Recall", "recall", "Share of positive outcomes that were predicted; macro average of several classes"
        ),
        measured("F1", "f1", "Harmonic mean of precision and recall; macro average of several classes"),
        lines("Regression error", "MAE and RMSE in the unit of the target, from reported outcomes.", "none", *errors),
        lines("Brier score", "Squared error of the probabilities; 0 is best.", "none", quality("brier")),
        lines("Outcomes", "Outcomes reported to /feedback per second.", "ops", Series(outcomes, "{{result}}")),
    )


def outputs() -> tuple[Any, ...]:
    counts = f"(increase({served('prediction_output_total')}{RANGE}))"
    per_bin, per_model = f"sum by (model_version, bin) {counts}", f"sum by (model_version) {counts}"
    confidence = f"sum by (le) (increase({served('prediction_confidence_ratio_bucket')}{RANGE}))"
    middle = quantile(0.5, served("prediction_confidence_ratio"), "model_version")
    return (
        "Predictions",
        bars(
            "Outputs",
            "Share of the predictions per bin: probability of the positive class, label or value.",
            "percentunit",
            Series(
                f"{per_bin} / on (model_version) group_left () ({per_model} > 0)", "{{bin}}, version {{model_version}}"
            ),
        ),
        bars(
            "Confidence",
            "Predictions by the probability of the predicted class (upper edges), for two classes and more.",
            "short",
            Series(confidence, "{{le}}"),
            buckets=True,
        ),
        lines(
            "Median confidence",
            "Median probability of the predicted class.",
            "percentunit",
            Series(middle, VERSION),
            most=1,
        ),
    )


def candidate() -> tuple[Any, ...]:
    mirrored = f"sum by (candidate_version, result) (rate({served('mirror_requests_total')}{RATE}))"
    version = "version {{version}}"
    return (
        "Candidate",
        lines(
            "Prediction shift",
            "Population stability index between the outputs of the candidate and the stable version.",
            "none",
            Series(operated("heartops_prediction_shift"), version),
            span=6,
        ),
        lines(
            "Differing mirrored predictions",
            "Share of the mirrored requests whose predictions differ.",
            "percentunit",
            Series(operated("heartops_mirror_different_share"), version),
            span=6,
        ),
        lines(
            "Mirrored requests",
            "Requests per second copied to the candidate, by result.",
            "reqps",
            Series(mirrored, "version {{candidate_version}}, {{result}}"),
            span=6,
        ),
        lines(
            "Consecutive failures",
            "Consecutive failed analysis intervals of the candidate.",
            "short",
            Series(operated("heartops_analysis_consecutive_failures"), version),
            span=6,
        ),
    )


def experiment() -> tuple[Any, ...]:
    figures = operated("heartops_experiment_arm", 'part!="count"')
    counts = operated("heartops_experiment_arm", 'part="count"')
    requests = f"sum by (arm) (rate({served('experiment_requests_total')}{RATE}))"
    return (
        "Experiment",
        lines(
            "Figures of the arms",
            "The experiment's metric for the users of either version, with the bounds of its 95% confidence sequence.",
            "none",
            Series(figures, "{{arm}}, {{part}}"),
            span=6,
        ),
        signed(
            "Difference",
            "The candidate's figure less the stable version's. An experiment ends when the bounds exclude 0.",
            "none",
            Series(operated("heartops_experiment_difference"), "{{part}}"),
            span=6,
        ),
        lines("Outcomes of the arms", "Outcomes that the figures rest on.", "short", Series(counts, "{{arm}}"), span=6),
        lines(
            "Requests of the arms",
            "Predictions per second for the users of either arm.",
            "reqps",
            Series(requests, "{{arm}}"),
            span=6,
        ),
        numbers(
            "Experiment verdict",
            "Running, or what the experiment has found.",
            "short",
            Series(operated("heartops_experiment_verdict"), "version {{version}}: {{verdict}}"),
            span=24,
            only_names=True,
        ),
    )


def retraining() -> tuple[Any, ...]:
    trainings = f"sum by (trigger, result) (increase({operated('heartops_trainings_total')}{RANGE}) > 0)"
    return (
        "Drift and retraining",
        drifted_features(operated, "{{schedule}}"),
        lines(
            "Distance of drifted features",
            "Distance between the live and the training distribution of each drifted feature.",
            "none",
            Series(operated("heartops_drift_feature_distance"), "{{feature}}"),
            span=6,
            most=1,
        ),
        since_retraining(operated, "{{schedule}}"),
        bars(
            "Trainings",
            "Finished training and evaluation Jobs in the time range, by trigger and result.",
            "short",
            Series(trainings, "{{trigger}}, {{result}}"),
            span=6,
        ),
    )


def resources() -> tuple[Any, ...]:
    pods = served("model_info")
    of_version = f"max by (namespace, pod, model_version) ({pods})"

    def by_version(measure: str) -> Series:
        """A kubelet names the pod alone; the pod says which version it serves."""
        joined = f"sum by (namespace, pod) ({measure}) * on (namespace, pod) group_left (model_version) {of_version}"
        return Series(f"sum by (model_version) ({joined})", VERSION)

    def of_training(measure: str) -> Series:
        return Series(f"sum by (pod) ({measure})", "{{pod}}")

    return (
        "Resources",
        lines(
            "CPU",
            "Processor cores that the serving pods use, by version.",
            "none",
            by_version(f"rate({CPU}{selected(OF_CONTAINERS)}{RATE})"),
        ),
        lines(
            "Memory",
            "Working set of the serving pods, by version.",
            "bytes",
            by_version(MEMORY + selected(OF_CONTAINERS)),
        ),
        lines("Pods", "Serving pods, by version.", "short", Series(f"count by (model_version) ({pods})", VERSION)),
        lines(
            "CPU time of training",
            "Processor time that training and evaluation Jobs have used. Many end before a rate could be computed.",
            "s",
            of_training(CPU + selected(OF_TRAINING)),
            span=12,
        ),
        lines(
            "Memory of training",
            "Working set of training and evaluation Jobs.",
            "bytes",
            of_training(MEMORY + selected(OF_TRAINING)),
            span=12,
        ),
    )


def prediction_log() -> tuple[Any, ...]:
    dropped = f"sum by (reason) (rate({served('prediction_log_dropped_total')}{RATE}))"
    waiting = Series(f"sum by (model_version) ({served('prediction_log_queue_rows')})", VERSION)
    return (
        "Prediction log",
        lines("Written records", "Records written per second.", "ops", per_version("prediction_log_written_total")),
        lines("Dropped records", "Records dropped per second, by reason.", "ops", Series(dropped, "{{reason}}")),
        stacked("Waiting records", "Records that wait to be written.", "short", waiting),
    )
