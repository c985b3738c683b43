"""MLflow's client is imported when a registry is needed first, which may be in several threads at once."""

import subprocess
import sys

FIRST_USE = """
from concurrent.futures import ThreadPoolExecutor
from heart_operator.mlflow.backend import MlflowBackend

def use(number):
    with MlflowBackend(f"http://127.0.0.1:9#tenant-{number}")._in_workspace():
        from mlflow.utils.workspace_context import get_request_workspace
        return get_request_workspace()

with ThreadPoolExecutor(4) as pool:
    print(*pool.map(use, range(4)))
"""


def test_threads_that_need_it_first_at_once_all_get_it() -> None:
    done = subprocess.run((sys.executable, "-c", FIRST_USE), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [f"tenant-{number}" for number in range(4)]), done.stderr
