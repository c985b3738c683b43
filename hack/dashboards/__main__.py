"""Write the dashboards, or with --check fail if a written one differs."""

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from hack.dashboards import model, operator, registry, rollouts

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "heartops" / "dashboards"
DASHBOARDS = {"model": model, "operator": operator, "registry": registry, "rollouts": rollouts}
"""By file name."""


def rendered() -> dict[str, str]:
    """The dashboards' JSON by file name, with keys and panels in a stable order."""
    found = {}
    for name, module in DASHBOARDS.items():
        document = json.loads(JSONEncoder().encode(module.build()))
        for number, panel in enumerate(document["panels"], 1):
            panel["id"] = number
        found[f"{name}.json"] = json.dumps(document, indent=2, sort_keys=True) + "\n"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hack.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    only_check = parser.parse_args().check
    different = {
        name: text
        for name, text in rendered().items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    }
    for name, text in different.items():
        if only_check:
            print(f"{FOLDER / name} is not what hack/dashboards describes: run `make generate`", file=sys.stderr)
        else:
            (FOLDER / name).write_text(text)
            print(f"wrote {FOLDER / name}")
    return 1 if only_check and different else 0


if __name__ == "__main__":
    sys.exit(main())
