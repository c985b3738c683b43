"""Whose workspace a thread's requests name, while others talk to other servers."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from heart_operator.mlflow.backend import MlflowBackend, load_mlflow

MEET_SECONDS = 60


def test_a_server_without_workspaces_is_not_asked_for_one_of_another_server() -> None:
    load_mlflow()
    from mlflow.utils.workspace_context import get_request_workspace

    both_inside = Barrier(2, timeout=MEET_SECONDS)

    def seen(address: str) -> str | None:
        with MlflowBackend(address)._in_workspace():
            both_inside.wait()
            found: str | None = get_request_workspace()
            both_inside.wait()
        return found

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(seen, ("http://shared:5000#clinic", "http://own:5000")))
    assert found == ["clinic", None]
    assert get_request_workspace() is None
    assert "MLFLOW_WORKSPACE" not in os.environ
