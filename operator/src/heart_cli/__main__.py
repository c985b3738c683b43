"""`kubectl heart …`, found by kubectl as `kubectl-heart` on the PATH."""

from heart_api.startup import importing

with importing():
    from heart_cli.cli import cli


def main() -> None:
    """Exit codes: 0 success, 1 rejected or failed, 2 wrong usage."""
    cli(prog_name="kubectl heart")


if __name__ == "__main__":
    main()
