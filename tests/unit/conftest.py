"""Counts of property tests: seconds by default, minutes in `make test-soak`, hours in `make test-overnight`."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", max_examples=30, deadline=None, report_multiple_bugs=False, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("soak", settings.get_profile("default"), max_examples=300)
settings.register_profile("overnight", settings.get_profile("default"), max_examples=10_000)
settings.register_profile(
    "repeatable", settings.get_profile("default"), max_examples=10, derandomize=True, database=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
