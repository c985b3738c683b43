"""Output of the tools: progress lines with elapsed seconds, and one-sentence failures."""

import os
import sys
import time

_START = float(os.environ.setdefault("HEARTOPS_STARTED", str(time.monotonic())))
"""In the environment, so that child processes continue the count."""


class Problem(Exception):
    """Something the user has to change; its text is one sentence that says what."""


def say(text: str) -> None:
    """Print a progress line on stderr (stdout carries only results)."""
    print(f"[{time.monotonic() - _START:6.1f} s] {text}", file=sys.stderr, flush=True)
