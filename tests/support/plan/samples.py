"""What looks at the traffic may find."""

from heart_operator.plan.analysis.counts import BUCKETS, Counts
from heart_operator.plan.observed import AnalysisSample


def answers(requests: int, errors: int = 0, invalid: int = 0, bins: dict[str, int] | None = None) -> Counts:
    """Quick answers, spread over two bins of the output unless told otherwise."""
    latency = (requests,) + (0,) * (BUCKETS - 1)
    half = requests // 2
    return Counts(requests, errors, invalid, latency, bins or {"0.20": half, "0.70": requests - half})


GOOD = AnalysisSample(stable=answers(300), candidate=answers(300))
BAD = AnalysisSample(stable=answers(300), candidate=answers(300, errors=150))
SILENT = AnalysisSample()
