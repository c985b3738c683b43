"""What people who know kubectl type: `-o=json`, connection options before the command, `help COMMAND`."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise

import click

from heart_cli.dryrun import MODES
from heart_cli.text import clean

SHORT = re.compile(r"(-[A-Za-z])=(.*)", re.DOTALL)
LEADING = re.compile(r"(-n|--namespace|--context|--kubeconfig|--as)(=.*)?")


class Habitual(click.Group):
    """The commands, which also take kubectl's other spellings of options; without a command, their list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, as_click_reads(args) or ["--help"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A wrong name is told apart from a wrong option, with the names that a person may have meant."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            near = get_close_matches(args[0], known)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"There is no command {clean(args[0])}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def as_click_reads(words: Sequence[str]) -> list[str]:
    """The same words in click's order and spelling; what follows `--` stays as it is."""
    end = list(words).index("--") if "--" in words else len(words)
    known, rest = with_modes([part for word in words[:end] for part in separated(word)]), list(words[end:])
    moved = []
    while known and (match := LEADING.fullmatch(known[0])):
        length = 1 if match[2] else 2
        moved += known[:length]
        known = known[length:]
    if known[:1] == ["help"]:
        known = [*known[1:], "--help"]
    return [*known, *moved, *rest]


def with_modes(words: Sequence[str]) -> list[str]:
    """`--dry-run` alone is that of the client."""
    return [
        "--dry-run=client" if word == "--dry-run" and after not in MODES else word
        for word, after in pairwise((*words, ""))
    ]


def separated(word: str) -> tuple[str, ...]:
    """`-o=json` as `-o` and `json`: click takes the `=` for a part of the value, kubectl does not."""
    match = SHORT.fullmatch(word)
    return match.groups() if match else (word,)
