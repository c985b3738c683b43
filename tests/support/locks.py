"""What the locks in `requirements/` pin."""

import re
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"


def pins(lock: str) -> set[tuple[str, str]]:
    """Names and versions that a lock pins, whatever the platform they are pinned for."""
    return set(re.findall(r"^([\w.-]+)==([^ ;\\]+)", (REQUIREMENTS / f"{lock}.txt").read_text(), re.MULTILINE))
