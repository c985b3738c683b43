"""Whether the long form of a test was asked for (`make test-soak`)."""

import os

SOAK = bool(os.environ.get("HEARTOPS_SOAK"))
