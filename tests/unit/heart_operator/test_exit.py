"""How the operator's process ends."""

import subprocess
import sys

BUSY = """
import runpy, threading, time
from concurrent.futures import ThreadPoolExecutor
import heart_operator.main

def main():
    ThreadPoolExecutor(1).submit(time.sleep, 300)
    print("its last words")
    return 3

heart_operator.main.main = main
runpy.run_module("heart_operator", run_name="__main__")
"""


def test_a_thread_that_waits_for_mlflow_does_not_keep_the_process() -> None:
    """A replica that lost its Lease is to be started again at once."""
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, "its last words\n"), done.stderr
