"""Command line: `python3 -m tests.cluster <command>`; see README.md beside this file."""

import sys

from .cli import main

sys.exit(main())
