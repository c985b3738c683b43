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
# Python would wait for threads that wait for a silent MLflow, and the replica would not be restarted.
os._exit(code)
