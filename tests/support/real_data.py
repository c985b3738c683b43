"""Real data files. A developer who has them names their folder in HEARTOPS_TEST_DATA; nothing is looked for elsewhere.

Tests that need them are marked `real_data`, and deselected where the variable is not set.
"""

import os
from pathlib import Path

FOLDER = os.environ.get("HEARTOPS_TEST_DATA")
CLEVELAND = "heart-disease/processed.cleveland.data"
CALIFORNIA = "california-housing/cal_housing.data"


def real_file(name: str) -> Path:
    """A file of the folder; a folder that lacks it is a mistake of whoever named it."""
    assert FOLDER, "HEARTOPS_TEST_DATA is not set: mark the test real_data"
    path = Path(FOLDER) / name
    assert path.is_file(), f"HEARTOPS_TEST_DATA has no {name}"
    return path
