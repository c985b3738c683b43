"""What holds for every test."""

import gc

import pytest

from tests.support import real_data

# An eighth of the unit stage went to a collector that looked through imported modules, ever again.
gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()


def pytest_report_header() -> str:
    return f"real data: {real_data.FOLDER or 'none (HEARTOPS_TEST_DATA), tests marked real_data are deselected'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the folder, tests of real data show up as deselected in the summary."""
    if real_data.FOLDER:
        return
    absent = [item for item in items if item.get_closest_marker("real_data")]
    if absent:
        items[:] = [item for item in items if item not in absent]
        config.hook.pytest_deselected(items=absent)
