"""Metrics of the serving pods: serving writes them, the operator reads them.

All carry `model_name` and `model_version`.
"""

LATENCY_EDGES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper edges of the latency histogram's buckets, in seconds. 0.5 and 1 are the default alert bounds."""

REQUESTS = "http_requests_total"
"""Number of requests, by `code`."""
DENIED = "requests_denied_total"
"""Requests without a valid key or token, by `reason`; REQUESTS does not count them."""
CALLERS = "caller_requests_total"
"""Requests admitted, by `caller`."""
PREDICTIONS = "predictions_total"
"""Number of predicted records."""
PREDICTION_RATE = "predictions_per_second"
"""The same per second and pod, as the custom metrics API serves it to autoscalers (docs/monitoring.md has the rule)."""
LATENCY_BUCKET = "prediction_latency_seconds_bucket"
"""Number of predictions within `le` seconds."""
OUTPUT = "prediction_output_total"
"""Records predicted, by the `bin` into which the output fell."""
ACCURACY = "model_accuracy"
"""Share of correct predictions, by `source`: feedback or estimated. Every pod knows all of its version's."""
ACCURACY_ROWS = "model_accuracy_rows"
"""Predictions that it rests on."""
MIRRORED = "mirror_requests_total"
"""Copies sent to `candidate_version`, by `result`: equal, different, failed, dropped."""
EXPERIMENT_REQUESTS = "experiment_requests_total"
"""Predictions for users of an experiment with `candidate_version`, by `arm` (stable, candidate) and `code`."""
EXPERIMENT_OUTCOMES = "experiment_outcomes"
"""Reported outcomes of an experiment with `candidate_version`, by `arm` and `statistic`: count, total, squares."""
MIRROR_DIFFERENCE = "mirror_max_difference"
"""Largest difference of an answer to that of `candidate_version`."""
