"""Labels of logged predictions: `spec.serving.predictionLog.labels`, and the header in which clients send their values.

`X-HeartOps-Labels: site=hospital-01,ward=3`. They select rows for a drift check, and are never a feature.
"""

import re
from typing import Annotated

from pydantic import Field

HEADER = "x-heartops-labels"
NAME = r"[a-z]([-a-z0-9_]{0,29}[a-z0-9])?"
VALUE = r"[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?"
MOST_LABELS = 8
FORM = re.compile(rf"{NAME}={VALUE}(, ?{NAME}={VALUE}){{0,{MOST_LABELS - 1}}}")
LONGEST = 1024
"""Characters of the header."""

LabelName = Annotated[str, Field(pattern=f"^{NAME}$", max_length=31)]
LabelValue = Annotated[str, Field(pattern=f"^{VALUE}$", max_length=63)]


def read_labels(text: str) -> dict[str, str] | None:
    """`site=hospital-01,ward=3` as a mapping; None if it is not of this form, or names a label twice."""
    if len(text) > LONGEST or FORM.fullmatch(text) is None:
        return None
    pairs = [part.strip().partition("=") for part in text.split(",")]
    found = {name: value for name, _, value in pairs}
    return found if len(found) == len(pairs) else None
