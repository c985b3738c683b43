"""The tests of tests/unit/log once more, on a real PostgreSQL."""

import pytest

from tests.unit.heart_log.test_arms import *  # noqa: F403
from tests.unit.heart_log.test_write_and_read import *  # noqa: F403

pytestmark = pytest.mark.api
