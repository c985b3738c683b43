"""Shell completion, in the form in which kubectl asks a plugin: `kubectl_complete-heart WORDS… INCOMPLETE`.

kubectl (1.26 or newer) runs this program from the PATH while a person types `kubectl heart …`, in any shell for which
`kubectl completion` is set up. It prints a suggestion on each line, a tab before its description, then a directive.
"""

import sys
from collections.abc import Iterator

from click.shell_completion import ShellComplete

from heart_cli.cli import cli

NO_FILES, FILES = ":4", ":0"
"""Directives of cobra: suggest these alone, or files."""


def suggest(words: list[str]) -> Iterator[str]:
    """Lines for kubectl; the last of the words is incomplete, and may be empty."""
    *before, incomplete = words or [""]
    items = ShellComplete(cli, {}, "kubectl heart", "").get_completions(before, incomplete)
    plain = [item for item in items if item.type == "plain"]
    yield from (f"{item.value}\t{item.help}" if item.help else str(item.value) for item in plain)
    yield FILES if len(plain) < len(items) else NO_FILES


def main() -> None:
    print("\n".join(suggest(sys.argv[1:])))


if __name__ == "__main__":
    main()
