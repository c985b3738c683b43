"""`python -m heart_operator.crdgen [--check] [--root DIR]`: write what is generated from the types, or compare it."""

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any

import yaml

from heart_operator.crdgen.crd import build_crd
from heart_operator.crdgen.definition import Definition
from heart_operator.crdgen.federationsite import FEDERATION_SITE
from heart_operator.crdgen.heartmodel import HEART_MODEL
from heart_operator.crdgen.page import build_page
from heart_operator.crdgen.retrainschedule import RETRAIN_SCHEDULE

KINDS = (HEART_MODEL, RETRAIN_SCHEDULE, FEDERATION_SITE)
NOTICE = "# Generated from common/src/heart_api by `make generate`; do not edit.\n"


class Plain(yaml.SafeDumper):
    """YAML without anchors: readers and diffs should not have to follow references."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(data: dict[str, Any]) -> str:
    return NOTICE + yaml.dump(data, Dumper=Plain, sort_keys=False, width=120, allow_unicode=True)


def generated() -> dict[str, str]:
    """Text by path below the repository."""
    return {path: text for kind in KINDS for path, text in files_of(kind).items()}


def files_of(kind: Definition) -> dict[str, str]:
    crd = as_yaml(build_crd(kind))
    return {
        f"crds/{kind.name}.yaml": crd,
        f"charts/heartops/crds/{kind.name}.yaml": crd,
        f"kustomize/base/crds/{kind.name}.yaml": crd,
        f"docs/api/{kind.kind.lower()}.md": build_page(kind),
    }


def difference(path: Path, wanted: str) -> str:
    """Unified diff from the file to what it should be; empty when they are equal."""
    living = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = (living.splitlines(keepends=True), wanted.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*lines, fromfile=str(path), tofile="generated"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="heart_operator.crdgen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail with a diff when a file is outdated")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    options = parser.parse_args(arguments)
    files = {options.root / path: text for path, text in generated().items()}
    if options.check:
        return check(files)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def check(files: dict[Path, str]) -> int:
    differences = [found for path, text in files.items() if (found := difference(path, text))]
    if not differences:
        return 0
    sys.stdout.write("".join(differences))
    sys.stderr.write("generated files differ from the types: run `make generate` and commit the result\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
