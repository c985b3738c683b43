"""Running commands: quietly when they succeed, with their output when they fail."""

import shutil
import subprocess
import time
from collections.abc import Callable

from hack.cluster.report import Problem, say


def run(*command: object, **options: object) -> str:
    """Run a command to its end and return its stdout; its last lines become the Problem if it fails."""
    words = [str(word) for word in command]
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode:
        tail = " | ".join(((done.stderr or "") + (done.stdout or "")).strip().splitlines()[-6:])
        raise Problem(f"`{' '.join(words[:6])}` failed with {done.returncode}: {tail}")
    return done.stdout


def succeeds(*command: object, **options: object) -> bool:
    """Whether a command exits with 0; its output is dropped."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run([str(word) for word in command], check=False, **quiet, **options).returncode == 0


def require(tool: str, advice: str) -> str:
    """The path of an executable, or a Problem with the advice."""
    found = shutil.which(tool)
    if not found:
        raise Problem(f"`{tool}` was not found: {advice}.")
    return found


def wait_for(what: str, check: Callable[[], bool], seconds: float, every: float = 0.1) -> None:
    """Poll until check() holds; after `seconds` raise a Problem that names `what`."""
    start = time.monotonic()
    while not check():
        if time.monotonic() - start > seconds:
            raise Problem(f"timed out after {seconds:.0f} s waiting for {what}: see `python3 -m hack.cluster logs`.")
        time.sleep(every)
    if time.monotonic() - start > 1:
        say(f"{what}: after {time.monotonic() - start:.1f} s")
