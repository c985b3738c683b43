"""`--dry-run`, as kubectl has it: what a command would change is checked, and nothing is stored."""

from typing import Literal

import click

DryRun = Literal["none", "client", "server"]
MODES = ("none", "client", "server")
HELP = (
    "client: check that the command applies; server: the API server checks it, too (permissions, admission)."
    " Nothing is stored."
)
DRY_RUN = click.option("--dry-run", "dry", type=click.Choice(MODES), default="none", show_default=True, help=HELP)


def told(line: str, dry: DryRun) -> str:
    """What was done; of a dry run, with kubectl's words for it behind."""
    return line if dry == "none" else f"{line} ({dry} dry run)"
