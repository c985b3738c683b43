"""What the dashboards' queries have in common."""

RATE = "[$__rate_interval]"
RANGE = "[$__range]"
QUANTILES = (0.5, 0.95, 0.99)


def selected(labels: str, *more: str) -> str:
    """`{labels,more}`"""
    return "{" + ",".join((labels, *more)) + "}"


def share(part: str, whole: str, by: str) -> str:
    """Part over whole by a label: 0, and not nothing, while no part of it has been counted yet."""
    of_part, of_whole = f"sum by ({by}) (rate({part}{RATE}))", f"sum by ({by}) (rate({whole}{RATE}))"
    return f"(({of_part} or 0 * {of_whole}) / {of_whole})"


def quantile(of: float, histogram: str, by: str = "", window: str = RATE) -> str:
    """Of a histogram, named without `_bucket` and with its selector."""
    name, _, rest = histogram.partition("{")
    selector = f"{{{rest}" if rest else ""
    labels = f"{by}, le" if by else "le"
    function = "rate" if window == RATE else "increase"
    return f"histogram_quantile({of}, sum by ({labels}) ({function}({name}_bucket{selector}{window})))"


def percent(of: float) -> str:
    """`p95`"""
    return f"p{of * 100:g}"
