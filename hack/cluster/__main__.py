"""Command line: `python3 -m hack.cluster <command>`; see README.md beside this file."""

import sys

from hack.cluster.cli import main

sys.exit(main())
