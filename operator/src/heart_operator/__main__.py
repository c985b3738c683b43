"""`python -m heart_operator`."""

import logging
import os
import sys

from heart_api.startup import importing

with importing():
    from heart_operator.main import main

code = main()
logging.shutdown()
sys.stdout.flush()
sys.stderr.flush()
# Python would wait for threads that wait for a silent MLflow, while nobody starts this replica again.
os._exit(code)
