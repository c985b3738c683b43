from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.serving.app import InProcess, in_process
from tests.support.serving.tiny_model import tiny_model

LABELS = ("no disease", "disease")


@pytest.fixture(params=[True, False], ids=["fast-path", "asgi"])
async def served(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[InProcess]:
    """A binary model of every kind of feature, reached both ways."""
    served = in_process(tiny_model(labels=LABELS), tmp_path, fast_path=request.param)
    async with served.client:
        yield served
