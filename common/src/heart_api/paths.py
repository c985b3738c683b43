"""Where users find a model: the path of an Ingress or HTTPRoute, and what of it is cut off before it is looked at.

`/iris` is cut off, so that `/iris/predict` is the model's `/predict`. `/predict/iris`, as many write it, is the model's
`/predict` itself. A path that the model has anyway, such as `/v2`, is no prefix: nothing is cut off.
"""

PATH_PATTERN = r"^/$|^(/\.*[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?$"
"""Segments of characters that nobody encodes; none is empty, `.` or `..`."""
PREDICT = "/predict"
OWN_PATHS = frozenset(
    {
        PREDICT,
        "/docs",
        "/explain",
        "/feedback",
        "/health",
        "/invocations",
        "/model",
        "/openapi.json",
        "/ping",
        "/version",
    }
)
OWN_TREES = frozenset({"endpoints", "v1", "v2"})
"""First segments below which every path is the model's own."""


def cut_prefix(path: str) -> str:
    """What is cut off the paths of requests, without a slash at its end; empty: nothing."""
    prefix = path.rstrip("/")
    is_own = prefix in OWN_PATHS or prefix.partition("/")[2].partition("/")[0] in OWN_TREES
    return "" if is_own else prefix


def is_predict(prefix: str) -> bool:
    """Whether the prefix itself is the model's `/predict`, and not its root."""
    return prefix.startswith(f"{PREDICT}/")
