"""`python -m heart_operator`."""

import sys

from heart_operator.main import main

sys.exit(main())
